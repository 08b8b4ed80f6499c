#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/prefix_match.hpp"
#include "kernels/prefix_table.hpp"
#include "kvbm/device/kernel_call.hpp"

namespace kvbm::bench {

/// The ceiling of any look-up: reads one unit of 64 bytes for each key and writes 8 bytes, nothing else.
struct GatherUnits {
  const std::uint64_t* keys;
  kernels::PrefixTableView<kernels::FingerprintSlot> table;
  std::uint64_t* out;  // [count]: all words of the key's home unit, combined by exclusive or
  std::uint32_t count;
  std::uint32_t block_threads;  // the shape of the launch: threads a block, and blocks per multiprocessor
  std::uint32_t resident_blocks;
};
[[nodiscard]] KernelCall gather_units(const GatherUnits& gather) noexcept;

/// The plain hash table to compare with: open addressing, one slot after the other until the key or an empty one, at a
/// load of 1/2. All keys of a LookupWorld are put in once, in any order.
template <class SlotType>
struct LinearTable {
  using Slot = SlotType;
  using Key = typename Slot::Key;
  static constexpr std::uint64_t kSlotsPerKey = 2;

  Slot* slots;  // all zero at first
  std::uint64_t capacity;
};

/// Puts the keys of numbers [0, known) into a table, with their hints.
template <class Slot>
struct LinearFill {
  LinearTable<Slot> table;
  std::uint64_t known;
};
template <class Slot>
[[nodiscard]] KernelCall linear_fill(const LinearFill<Slot>& fill) noexcept;

/// Looks each key up on its own: a hint each. With `prefixes` the least place of a miss in each request follows, by a
/// segmented reduction, and from it the length of its prefix.
template <class Slot>
struct LinearFind {
  LinearTable<Slot> table;
  const typename Slot::Key* keys;
  BlockHint* hints;
  std::uint32_t count;

  std::uint32_t* misses = nullptr;  // [count], scratch; null: no prefixes
  const std::uint32_t* offsets = nullptr;
  std::uint32_t requests = 0;
  std::uint32_t* prefixes = nullptr;
  void* scratch = nullptr;  // of linear_scratch_bytes(); the host needs none
  std::size_t scratch_bytes = 0;
};
template <class Slot>
[[nodiscard]] KernelCall linear_find(const LinearFind<Slot>& find) noexcept;
/// What the segmented reduction needs on a device. Errors  CudaError.
[[nodiscard]] std::size_t linear_scratch_bytes(std::uint32_t requests);

}  // namespace kvbm::bench
