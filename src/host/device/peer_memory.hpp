#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <map>

#include "kvbm/base/mutex.hpp"

namespace kvbm {

/// The device memory of all emulated devices of the process, which copies of each of them may touch: what unified
/// addressing is to GPUs.
///
/// Threads  any. Its lock is taken inside a device's.
class PeerMemory {
 public:
  /// The only one. Never destroyed: devices may outlive whatever is.
  [[nodiscard]] static PeerMemory& all();

  /// `owner_broken` says whether the device whose memory it is works no more, until remove(). Errors  std::bad_alloc.
  void add(const void* memory, std::size_t bytes, const std::atomic<bool>& owner_broken) KVBM_EXCLUDES(mutex_);
  /// Waits until no copy runs on it. Returns whether one did.
  bool remove(const void* memory) noexcept KVBM_EXCLUDES(mutex_);

  struct Found {
    std::uint64_t id = 0;  ///< of the piece that holds all of it, never used twice; 0: there is none
    bool broken = false;   ///< its device is
  };
  [[nodiscard]] Found find(const void* memory, std::size_t bytes) noexcept KVBM_EXCLUDES(mutex_);
  /// Keeps the piece with that id in place until let_go(). False if it is gone, or its device broken.
  [[nodiscard]] bool hold(const void* memory, std::uint64_t id) noexcept KVBM_EXCLUDES(mutex_);
  void let_go(const void* memory) noexcept KVBM_EXCLUDES(mutex_);

 private:
  struct Piece {
    std::size_t bytes;
    std::uint64_t id;
    const std::atomic<bool>* owner_broken;
    std::uint32_t users = 0;
  };
  using Pieces = std::map<std::uintptr_t, Piece>;
  /// The piece that begins at or before `memory`; end() if there is none.
  [[nodiscard]] Pieces::iterator at(const void* memory) noexcept KVBM_REQUIRES(mutex_);

  Mutex mutex_;
  std::condition_variable_any unused_;  // waits with mutex_
  Pieces pieces_ KVBM_GUARDED_BY(mutex_);
  std::uint64_t ids_ KVBM_GUARDED_BY(mutex_) = 0;
};

}  // namespace kvbm
