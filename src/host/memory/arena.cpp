#include "kvbm/memory/arena.hpp"

#include <bit>
#include <stdexcept>
#include <string>
#include <utility>

#include "kvbm/base/mutex.hpp"
#include "memory/page_runs.hpp"

namespace kvbm {
namespace {

constexpr std::size_t kPagesMax = 0xFFFF'FFFDu;  // two numbers stand for what lies before and behind

/// Errors  std::invalid_argument.
std::uint32_t checked_pages(std::size_t bytes, std::size_t page_bytes) {
  if (!std::has_single_bit(page_bytes)) {
    throw std::invalid_argument("arena: pages of " + std::to_string(page_bytes) + " bytes, which is no power of two");
  }
  const std::size_t pages = bytes / page_bytes;
  if (pages == 0 || pages > kPagesMax) {
    throw std::invalid_argument("arena: " + std::to_string(pages) + " pages, not 1 to " + std::to_string(kPagesMax));
  }
  return static_cast<std::uint32_t>(pages);
}

}  // namespace

struct Arena::State {
  State(Memory whole, std::size_t bytes_of_page)
      : region(std::move(whole)), page_bytes(bytes_of_page), runs(checked_pages(region.bytes(), page_bytes)) {}

  const Memory region;
  const std::size_t page_bytes;
  mutable Mutex mutex;
  PageRuns runs KVBM_GUARDED_BY(mutex);
};

/// Owns pages of an arena.
struct Arena::Piece {
  explicit Piece(std::shared_ptr<State> of) noexcept : state(std::move(of)) {}
  Piece(const Piece&) = delete;
  Piece& operator=(const Piece&) = delete;
  ~Piece() {
    if (pages == 0) return;
    const MutexLock lock(state->mutex);
    state->runs.give_back(first, pages);
  }

  std::shared_ptr<State> state;
  std::uint32_t first = 0;
  std::uint32_t pages = 0;  // 0: none were to be had
};

Arena::Arena(Memory region, std::size_t page_bytes) : state_(std::make_shared<State>(std::move(region), page_bytes)) {}

std::optional<Memory> Arena::allocate(std::size_t bytes) {
  if (bytes == 0) throw std::invalid_argument("arena: a piece of 0 bytes");
  const std::size_t pages = bytes / state_->page_bytes + (bytes % state_->page_bytes != 0 ? 1 : 0);
  if (pages > kPagesMax) return std::nullopt;
  const auto piece = std::make_shared<Piece>(state_);  // first, since it may throw
  {
    const MutexLock lock(state_->mutex);
    const std::optional<std::uint32_t> first = state_->runs.take(static_cast<std::uint32_t>(pages));
    if (!first) return std::nullopt;
    piece->first = *first;
    piece->pages = static_cast<std::uint32_t>(pages);
  }
  Region region = state_->region.region();
  region.address += piece->first * state_->page_bytes;
  region.bytes = bytes;
  return Memory(region, piece);
}

std::size_t Arena::page_bytes() const noexcept { return state_->page_bytes; }

std::size_t Arena::free_bytes() const noexcept {
  const MutexLock lock(state_->mutex);
  return state_->runs.free_pages() * state_->page_bytes;
}

std::size_t Arena::largest_free_bytes() const noexcept {
  const MutexLock lock(state_->mutex);
  return state_->runs.longest() * state_->page_bytes;
}

}  // namespace kvbm
