#include "device/live_memory.hpp"

#include <iterator>

namespace kvbm {
namespace {

bool holds(const LiveMemory::Range& range, std::uintptr_t begin, std::size_t bytes) noexcept {
  return begin >= range.begin && begin - range.begin <= range.bytes && bytes <= range.bytes - (begin - range.begin);
}

}  // namespace

bool LiveMemory::add(const void* memory, std::size_t bytes, Kind kind) {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  const auto after = ranges_.lower_bound(begin);
  if (after != ranges_.end() && after->first - begin < bytes) return false;
  if (after != ranges_.begin()) {
    const Range& before = std::prev(after)->second;
    if (begin - before.begin < before.bytes) return false;
  }
  ranges_.emplace_hint(after, begin, Range{.begin = begin, .bytes = bytes, .id = ++ids_, .kind = kind});
  bytes_of(kind) += bytes;
  return true;
}

LiveMemory::Range* LiveMemory::at(const void* memory) noexcept {
  const auto found = ranges_.find(reinterpret_cast<std::uintptr_t>(memory));
  return found == ranges_.end() ? nullptr : &found->second;
}

LiveMemory::Range* LiveMemory::holding(const void* memory, std::size_t bytes) noexcept {
  const auto begin = reinterpret_cast<std::uintptr_t>(memory);
  if (last_found_ != nullptr && holds(*last_found_, begin, bytes)) return last_found_;
  const auto after = ranges_.upper_bound(begin);
  if (after == ranges_.begin()) return nullptr;
  Range& range = std::prev(after)->second;
  if (!holds(range, begin, bytes)) return nullptr;
  last_found_ = &range;
  return &range;
}

void LiveMemory::remove(const Range& range) noexcept {
  bytes_of(range.kind) -= range.bytes;
  last_found_ = nullptr;
  ranges_.erase(range.begin);
}

}  // namespace kvbm
