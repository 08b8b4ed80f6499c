#pragma once

#include <cstddef>
#include <cstdint>

#include "kvbm/base/block_hint.hpp"
#include "kvbm/base/host_device.hpp"
#include "kvbm/base/sequence_hash.hpp"

#if !defined(__CUDA_ARCH__)
#include <atomic>
#endif

namespace kvbm::kernels {

/// The unit in which a table is changed.
struct alignas(16) TableWord {
  std::uint64_t low;
  std::uint64_t high;

  friend bool operator==(const TableWord&, const TableWord&) = default;
};

/// High half of a product: maps the evenly spread 64 bits of `a` onto 0 .. b - 1.
[[nodiscard]] KVBM_HOST_DEVICE std::uint64_t multiply_high(std::uint64_t a, std::uint64_t b) noexcept {
#if defined(__CUDA_ARCH__)
  return __umul64hi(a, b);
#else
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{a} * b) >> 64);
#endif
}

/// Reads 8 bytes that a planner may be writing. On the host the load acquires, so that a reader which saw part of a
/// batch also sees that the batch was begun; on the device it is served by the read-only path.
[[nodiscard]] KVBM_HOST_DEVICE std::uint64_t load_table(const std::uint64_t* word) noexcept {
#if defined(__CUDA_ARCH__)
  return __ldg(reinterpret_cast<const unsigned long long*>(word));
#else
  return std::atomic_ref(const_cast<std::uint64_t&>(*word)).load(std::memory_order_acquire);
#endif
}

/// 64 evenly spread bits made of both halves of a lineage hash, whose own top bits are mode and position. Never 0.
[[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t fingerprint_of(const SequenceHash& hash) noexcept {
  std::uint64_t mixed = hash.low() + hash.high() * 0x9E37'79B9'7F4A'7C15u;
  mixed = (mixed ^ (mixed >> 32)) * 0xD6E8'FEB8'6659'FD93u;
  mixed = (mixed ^ (mixed >> 32)) * 0xD6E8'FEB8'6659'FD93u;
  mixed ^= mixed >> 32;
  return mixed != 0 ? mixed : 1;
}

/// A slot of 16 bytes, found by fingerprint: two hashes with one fingerprint share it.
struct alignas(16) FingerprintSlot {
  using Key = std::uint64_t;

  std::uint64_t key;    // 0: empty
  std::uint64_t value;  // the hint; in a unit's first slot also the unit's mark

  [[nodiscard]] KVBM_HOST_DEVICE static Key key_of(Key key) noexcept { return key; }
  [[nodiscard]] KVBM_HOST_DEVICE static Key key_of(const SequenceHash& hash) noexcept { return fingerprint_of(hash); }
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t spread(Key key) noexcept { return key; }
  [[nodiscard]] KVBM_HOST_DEVICE bool holds(Key wanted) const noexcept { return key == wanted; }
  [[nodiscard]] KVBM_HOST_DEVICE static FingerprintSlot load(const FingerprintSlot* slot) noexcept {
#if defined(__CUDA_ARCH__)
    const ulonglong2 both = __ldg(reinterpret_cast<const ulonglong2*>(slot));
    return {both.x, both.y};
#else
    return {load_table(&slot->key), load_table(&slot->value)};
#endif
  }
};

/// A slot of 32 bytes with the whole hash: no two hashes are taken for one.
struct alignas(16) ExactSlot {
  using Key = SequenceHash;

  std::uint64_t high, low;  // the hash
  std::uint64_t value;      // as in a FingerprintSlot; no hint: empty
  std::uint64_t unused;

  [[nodiscard]] KVBM_HOST_DEVICE static Key key_of(const SequenceHash& hash) noexcept { return hash; }
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t spread(const Key& key) noexcept { return fingerprint_of(key); }
  [[nodiscard]] KVBM_HOST_DEVICE bool holds(const Key& wanted) const noexcept {
    return high == wanted.high() && low == wanted.low() && BlockHint::from_bits(value).present();
  }
  [[nodiscard]] KVBM_HOST_DEVICE static ExactSlot load(const ExactSlot* slot) noexcept {
#if defined(__CUDA_ARCH__)
    const ulonglong2 hash = __ldg(reinterpret_cast<const ulonglong2*>(slot));
    return {hash.x, hash.y, load_table(&slot->value), 0};
#else
    return {load_table(&slot->high), load_table(&slot->low), load_table(&slot->value), 0};
#endif
  }
};

/// What stands before a table's first unit.
struct alignas(16) PrefixTableHeader {
  std::uint64_t begun;     // the batch of changes that was begun last
  std::uint64_t finished;  // and the one that was finished last
  std::uint64_t stashed;   // slots of the stash that are in use
  std::uint64_t monotone;  // 1: every block that is there has its parent there, so that prefixes may be searched for
};

/// A table of hints by key, in memory that whoever reads it can reach.
///
/// A key lies in its home unit, or else in its second one, or else in the stash. A unit's mark, which is the table's
/// bit of its first slot's value, says that some key which is at home there lies elsewhere: without it, a miss at home
/// is a miss. These three places are all that readers look at and all that the planner uses.
///
/// Shape  [header, padded to a unit] [units, kUnitSlots] [kStashSlots]
template <class SlotType>
struct PrefixTableView {
  using Slot = SlotType;
  using Key = typename Slot::Key;
  static constexpr unsigned kUnitSlots = 4;
  static constexpr unsigned kStashSlots = 64;
  static constexpr std::size_t kWordsPerSlot = sizeof(Slot) / sizeof(TableWord);

  const Slot* slots;  // aligned to a unit
  std::uint64_t units;

  /// The table in so many words.
  [[nodiscard]] static PrefixTableView over(const Slot* slots, std::size_t words) noexcept {
    return {slots, (words / kWordsPerSlot - kStashSlots) / kUnitSlots - 1};
  }

  /// Slots that a table of so many units takes, header and stash among them.
  [[nodiscard]] KVBM_HOST_DEVICE static constexpr std::uint64_t all_slots(std::uint64_t units) noexcept {
    return (units + 1) * kUnitSlots + kStashSlots;
  }
  [[nodiscard]] KVBM_HOST_DEVICE const PrefixTableHeader* header() const noexcept {
    return reinterpret_cast<const PrefixTableHeader*>(slots);
  }
  [[nodiscard]] KVBM_HOST_DEVICE const Slot* unit(std::uint64_t index) const noexcept {
    return slots + (index + 1) * kUnitSlots;
  }
  [[nodiscard]] KVBM_HOST_DEVICE const Slot* stash() const noexcept { return unit(units); }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t home(const Key& key) const noexcept {
    return multiply_high(Slot::spread(key), units);
  }
  /// Another unit than home. Precondition: there are two.
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t second(const Key& key) const noexcept {
    const std::uint64_t other = multiply_high(Slot::spread(key) * 0xD1B5'4A32'D192'ED03u, units);
    if (other != home(key)) return other;
    return other + 1 == units ? 0 : other + 1;
  }
  [[nodiscard]] KVBM_HOST_DEVICE static bool marked(const Slot& first) noexcept {
    return (first.value & BlockHint::kTableBit) != 0;
  }

  /// The hint for a key, or none: the scalar form of what a warp does in prefix_match.cuh.
  [[nodiscard]] KVBM_HOST_DEVICE BlockHint find(const Key& key) const noexcept {
    bool elsewhere = false;
    BlockHint hint = find_in(unit(home(key)), kUnitSlots, key, elsewhere);
    if (hint.present() || !elsewhere) return hint;
    hint = find_in(unit(second(key)), kUnitSlots, key, elsewhere);
    if (hint.present()) return hint;
    return find_in(stash(), load_table(&header()->stashed), key, elsewhere);
  }

 private:
  [[nodiscard]] KVBM_HOST_DEVICE static BlockHint find_in(const Slot* first, std::uint64_t count, const Key& key,
                                                          bool& is_marked) noexcept {
    BlockHint hint;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Slot slot = Slot::load(first + i);
      if (i == 0) is_marked = marked(slot);
      if (slot.holds(key)) hint = BlockHint::from_bits(slot.value);
    }
    return hint;
  }
};

}  // namespace kvbm::kernels
