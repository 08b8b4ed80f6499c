#include "device/peer_memory.hpp"

#include <iterator>

namespace kvbm {

PeerMemory& PeerMemory::all() {
  static PeerMemory& pieces = *new PeerMemory();
  return pieces;
}

PeerMemory::Pieces::iterator PeerMemory::at(const void* memory) noexcept {
  const auto after = pieces_.upper_bound(reinterpret_cast<std::uintptr_t>(memory));
  return after == pieces_.begin() ? pieces_.end() : std::prev(after);
}

void PeerMemory::add(const void* memory, std::size_t bytes, const std::atomic<bool>& owner_broken) {
  const MutexLock lock(mutex_);
  pieces_.emplace(reinterpret_cast<std::uintptr_t>(memory), Piece{bytes, ++ids_, &owner_broken});
}

bool PeerMemory::remove(const void* memory) noexcept {
  const MutexLock lock(mutex_);
  const auto found = pieces_.find(reinterpret_cast<std::uintptr_t>(memory));
  const bool was_used = found->second.users != 0;
  found->second.id = 0;  // nobody comes to use it any more
  while (found->second.users != 0) unused_.wait(mutex_);
  pieces_.erase(found);
  return was_used;
}

PeerMemory::Found PeerMemory::find(const void* memory, std::size_t bytes) noexcept {
  const MutexLock lock(mutex_);
  const auto found = at(memory);
  if (found == pieces_.end()) return {};
  const Piece& piece = found->second;
  const std::size_t offset = reinterpret_cast<std::uintptr_t>(memory) - found->first;
  if (offset > piece.bytes || bytes > piece.bytes - offset) return {};
  return {piece.id, piece.owner_broken->load(std::memory_order_relaxed)};  // relaxed: it only ever becomes so
}

bool PeerMemory::hold(const void* memory, std::uint64_t id) noexcept {
  const MutexLock lock(mutex_);
  const auto found = at(memory);
  if (found == pieces_.end() || found->second.id != id) return false;
  if (found->second.owner_broken->load(std::memory_order_relaxed)) return false;  // relaxed: as above
  ++found->second.users;
  return true;
}

void PeerMemory::let_go(const void* memory) noexcept {
  const MutexLock lock(mutex_);
  if (--at(memory)->second.users == 0) unused_.notify_all();
}

}  // namespace kvbm
