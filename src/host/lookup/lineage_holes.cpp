#include "src/host/lookup/lineage_holes.hpp"

#include <algorithm>
#include <utility>

#include "kernels/prefix_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

constexpr unsigned kKnownBits = 38;  // of a parent's hash, which all modes keep
constexpr std::uint64_t kKnown = (std::uint64_t{1} << kKnownBits) - 1;

std::uint64_t own_name(const SequenceHash& hash) noexcept {
  return hash.position() << kKnownBits | (hash.current() & kKnown);
}
/// Precondition: not a root.
std::uint64_t parent_name(const SequenceHash& hash) noexcept {
  return (hash.position() - 1) << kKnownBits | (hash.parent_fragment() & kKnown);
}

}  // namespace

std::size_t LineageHoles::home(std::uint64_t name) const noexcept {
  return static_cast<std::size_t>(kernels::multiply_high(name * 0x9E37'79B9'7F4A'7C15u, lines_.size()));
}

/// The line of a name, or the empty one where it would be. Precondition: one is empty.
LineageHoles::Line& LineageHoles::line(std::uint64_t name) noexcept {
  std::size_t at = home(name);
  while (!lines_[at].empty() && lines_[at].name != name) at = at + 1 == lines_.size() ? 0 : at + 1;
  return lines_[at];
}

/// Room for two more lines.
void LineageHoles::make_room() {
  if (4 * (used_ + 2) <= 3 * lines_.size()) return;
  std::vector<Line> before = std::exchange(lines_, std::vector<Line>(std::max<std::size_t>(64, 2 * lines_.size())));
  for (const Line& old : before) {
    if (!old.empty()) line(old.name) = old;
  }
}

void LineageHoles::add(const SequenceHash& hash) {
  make_room();
  Line& own = line(own_name(hash));
  if (own.empty()) own.name = own_name(hash), ++used_;
  if (own.blocks++ == 0) holes_ -= own.children;
  if (hash.position() == 0) return;
  Line& parent = line(parent_name(hash));
  if (parent.empty()) parent.name = parent_name(hash), ++used_;
  ++parent.children;
  if (parent.blocks == 0) ++holes_;
}

void LineageHoles::remove(const SequenceHash& hash) noexcept {
  Line& own = line(own_name(hash));
  KVBM_ASSERT(own.blocks != 0, "a block goes that never came");
  if (--own.blocks == 0) holes_ += own.children;
  settle(own);
  if (hash.position() == 0) return;
  Line& parent = line(parent_name(hash));
  KVBM_ASSERT(parent.children != 0, "a block goes that never came");
  --parent.children;
  if (parent.blocks == 0) --holes_;
  settle(parent);
}

/// If a line has become empty, those behind it that it kept from their homes move up.
void LineageHoles::settle(Line& line) noexcept {
  if (!line.empty()) return;
  --used_;
  const std::size_t count = lines_.size();
  auto hole = static_cast<std::size_t>(&line - lines_.data());
  for (std::size_t at = hole + 1 == count ? 0 : hole + 1; !lines_[at].empty(); at = at + 1 == count ? 0 : at + 1) {
    const std::size_t distance = (at + count - home(lines_[at].name)) % count;
    if (distance < (at + count - hole) % count) continue;  // its home lies behind the hole
    lines_[hole] = std::exchange(lines_[at], Line{});
    hole = at;
  }
}

}  // namespace kvbm
