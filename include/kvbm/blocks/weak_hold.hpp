#pragma once

#include <optional>

#include "kvbm/base/yield_point.hpp"
#include "kvbm/blocks/shared_hold.hpp"
#include "kvbm/registry/registration.hpp"

namespace kvbm {

/// Remembers a block without keeping it: the core of WeakBlock. Holds the registration of the hash and the store.
class WeakHold {
 public:
  explicit WeakHold(const SharedHold& block);
  WeakHold(const WeakHold& other) noexcept;
  WeakHold(WeakHold&& other) noexcept
      : store_(std::exchange(other.store_, nullptr)),
        id_(other.id_),
        generation_(other.generation_),
        registration_(std::move(other.registration_)) {}
  WeakHold& operator=(WeakHold other) noexcept;
  ~WeakHold();

  [[nodiscard]] const SequenceHash& hash() const noexcept { return registration_.hash(); }

  [[nodiscard]] std::optional<SharedHold> upgrade() const noexcept {
    std::uint64_t& word = store_->slots[id_].word;
    KVBM_YIELD("look for pins");
    std::uint64_t seen = load(word);
    while ((BlockSlot::generation(seen) == generation_ || KVBM_PLANTED(AnyGeneration)) && BlockSlot::pins(seen) != 0) {
      KVBM_YIELD("pin beside them");
      // acquire: sees what was registered; the generation in the same word says that it is still our block
      if (std::atomic_ref(word).compare_exchange_weak(seen, seen + 1, std::memory_order_acquire,
                                                      std::memory_order_relaxed)) {
        return SharedHold(*store_, id_);
      }
    }
    const BlockId found = find_by_hash();
    if (found == kNoBlock) return std::nullopt;
    return SharedHold(*store_, found);
  }

 private:
  /// The block that has the hash now, pinned once, or kNoBlock.
  [[nodiscard]] BlockId find_by_hash() const noexcept;

  StoreHead* store_;  // null: moved from
  BlockId id_;
  std::uint32_t generation_;
  Registration registration_;
};

}  // namespace kvbm
