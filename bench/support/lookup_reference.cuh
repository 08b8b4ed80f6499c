#pragma once

#include "bench/support/lookup_reference.hpp"
#include "kernels/tiles.cuh"

namespace kvbm::bench {

/// The n-th key of a LookupWorld, and its hint.
template <class Slot>
[[nodiscard]] KVBM_HOST_DEVICE typename Slot::Key world_key(std::uint64_t number) noexcept {
  return Slot::key_of(SequenceHash::from_bits(number, ~number));
}
[[nodiscard]] KVBM_HOST_DEVICE constexpr BlockHint world_hint(std::uint64_t number) noexcept {
  return BlockHint(0, static_cast<BlockId>(number), 1);
}

/// One lane's part of a unit. A tile's parts together are what is written.
[[nodiscard]] KVBM_HOST_DEVICE std::uint64_t gather_part(const GatherUnits& gather, std::uint64_t key, unsigned lane) {
  const auto slot = kernels::FingerprintSlot::load(gather.table.unit(gather.table.home(key)) + lane);
  return slot.key ^ slot.value;
}

template <class Slot>
[[nodiscard]] KVBM_HOST_DEVICE std::uint64_t linear_home(const LinearTable<Slot>& table,
                                                         const typename Slot::Key& key) noexcept {
  return kernels::multiply_high(Slot::spread(key), table.capacity);
}

/// One key of a LinearFind.
template <class Slot>
struct FindLinearly {
  LinearFind<Slot> find;

  KVBM_HOST_DEVICE void operator()(std::uint32_t place) const noexcept {
    const typename Slot::Key key = find.keys[place];
    std::uint64_t at = linear_home(find.table, key);
    BlockHint hint;
    for (;;) {
      const Slot slot = Slot::load(find.table.slots + at);
      if (!BlockHint::from_bits(slot.value).present()) break;
      if (slot.holds(key)) {
        hint = BlockHint::from_bits(slot.value);
        break;
      }
      at = at + 1 == find.table.capacity ? 0 : at + 1;
    }
    find.hints[place] = hint;
    if (find.misses != nullptr) find.misses[place] = hint.present() ? ~0u : place;
  }
};

/// From the place of a request's first miss, all ones if there is none, to the length of its prefix.
template <class Slot>
struct LinearPrefix {
  LinearFind<Slot> find;

  KVBM_HOST_DEVICE void operator()(std::uint32_t request) const noexcept {
    const std::uint32_t begin = find.offsets[request], end = find.offsets[request + 1];
    std::uint32_t& prefix = find.prefixes[request];
    prefix = (prefix < end ? prefix : end) - begin;
  }
};

/// Puts one number's key into the first empty slot from its home on; `take` claims a slot for a value.
template <class Slot>
struct FillLinearly {
  LinearFill<Slot> fill;

  template <class Take>
  KVBM_HOST_DEVICE void operator()(std::uint64_t number, Take&& take) const noexcept {
    const typename Slot::Key key = world_key<Slot>(number);
    std::uint64_t at = linear_home(fill.table, key);
    while (!take(fill.table.slots[at].value, world_hint(number).bits())) {
      at = at + 1 == fill.table.capacity ? 0 : at + 1;
    }
    set_key(fill.table.slots[at], key);
  }

 private:
  KVBM_HOST_DEVICE static void set_key(kernels::FingerprintSlot& slot, std::uint64_t key) noexcept { slot.key = key; }
  KVBM_HOST_DEVICE static void set_key(kernels::ExactSlot& slot, const SequenceHash& key) noexcept {
    slot.high = key.high();
    slot.low = key.low();
  }
};

// The launchers, where there is CUDA.
void launch_gather_units(const GatherUnits& gather, StreamView stream);
template <class Slot>
void launch_linear_fill(const LinearFill<Slot>& fill, StreamView stream);
template <class Slot>
void launch_linear_find(const LinearFind<Slot>& find, StreamView stream);

}  // namespace kvbm::bench
