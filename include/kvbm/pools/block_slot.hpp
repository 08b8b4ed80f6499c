#pragma once

#include <atomic>
#include <cstdint>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm {

/// What a slot is at the moment. Reset and Mutable are one value: which of the two a slot is, the free ring knows, and
/// so allocating touches no slot at all.
enum class SlotState : std::uint8_t {
  Unregistered,  ///< Reset (in the free ring) or Mutable (held by the guard that may fill it)
  Staged,        ///< full and named, held by one CompleteBlock
  Primary,       ///< registered and found by its hash; pinned, or about to be released
  Duplicate,     ///< a second copy of a Primary, never found; keeps that Primary pinned
  Inactive,      ///< registered, without holders; the only state from which a block is evicted
};

/// Room in a slot for the eviction backend. The store clears it when a block leaves; between insert and erase it
/// belongs to the backend alone. All zero bits mean "in no order, no parent known".
struct OrderLinks {
  struct Neighbours {
    BlockId previous, next;
  };
  struct Tick {
    std::uint32_t low, high;
  };
  union {
    Neighbours list{};  // backends that keep lists
    Tick when;          // lineage by tick: when the block became idle
  };
  std::uint32_t place = 0;              // heap place + 1, or the list a block is in
  std::uint32_t parent = 0;             // id + 1 of the slot believed to hold the parent; checked before use
  std::uint32_t parent_generation = 0;  // and that slot's generation then
  std::uint32_t children = 0;           // linked children: idle ones, and placeholders of idle descendants
  bool held = false;                    // between insert and erase
  bool linked = false;                  // counted in its parent's children

  [[nodiscard]] std::uint64_t tick() const noexcept { return std::uint64_t{when.high} << 32 | when.low; }
  void set_tick(std::uint64_t tick) noexcept {
    when = {static_cast<std::uint32_t>(tick), static_cast<std::uint32_t>(tick >> 32)};
  }
};

/// One block's record, one cache line, all zero at birth.
///
/// Threads  hash      written by the guard that stages, then constant while anybody holds the block.
///          word      pins: one per single guard, lifecycle pin and duplicate, and one for all runs together.
///                    Added without a lock only by somebody who holds a pin, or by a weak block that sees one;
///                    raised from zero only under the store's lock, at which time the generation is constant.
///          the rest  under the store's lock; those read by a scrape are stored with relaxed atomics.
struct alignas(64) BlockSlot {
  SequenceHash hash;
  std::uint64_t word = 0;            // generation << 32 | pins
  std::uint32_t run_holders = 0;     // runs that hold this block, an occurrence each
  std::uint32_t lifecycle_pins = 0;  // the part of the pins that no gauge counts
  OrderLinks links;
  SlotState state = SlotState::Unregistered;
  std::uint8_t flags = 0;

  static constexpr std::uint8_t kResetToggled = 1;  // reset-on-release is the opposite of the store's default
  static constexpr std::uint8_t kRecorded = 2;      // the registry may keep a record of this hash
  static constexpr std::uint8_t kWeakMade = 4;      // a weak block may pin without the lock
  static constexpr std::uint8_t kNotCacheable = 8;  // its lineage key belongs to another block: reset on release
  static constexpr std::uint8_t kScanned = 16;      // in the result of the scan that is under way

  static constexpr std::uint64_t kPinMask = 0xFFFF'FFFFu;
  static constexpr std::uint32_t pins(std::uint64_t word) noexcept { return static_cast<std::uint32_t>(word); }
  static constexpr std::uint32_t generation(std::uint64_t word) noexcept {
    return static_cast<std::uint32_t>(word >> 32);
  }
};
static_assert(sizeof(BlockSlot) == 64);

/// Atomic access to the plain members of a slot, which lives in zeroed memory.
template <class T>
[[nodiscard]] inline T load(const T& member, std::memory_order order = std::memory_order_relaxed) noexcept {
  return std::atomic_ref<T>(const_cast<T&>(member)).load(order);
}
template <class T>
inline void store(T& member, std::type_identity_t<T> value) noexcept {
  std::atomic_ref<T>(member).store(value, std::memory_order_relaxed);
}

/// What guards need of the store without a call into it.
struct StoreHead {
  BlockSlot* slots = nullptr;
  std::uint32_t tokens_per_block = 0;
  bool large = false;  // the slots lie beyond the caches: worth fetching ahead
};

}  // namespace kvbm
