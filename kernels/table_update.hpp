#pragma once

#include <cstdint>

#include "kernels/prefix_table.hpp"
#include "kvbm/device/kernel_call.hpp"

namespace kvbm::kernels {

/// Words of a table that changed in one batch, and where they go.
struct TableUpdate {
  TableWord* table;  // whose first words are its header
  const std::uint32_t* places;
  const TableWord* words;
  std::uint32_t count;
  std::uint64_t epoch;  // of the batch
};

/// table[places[i]] = words[i] for all i, with the header marked as begun before and as finished after. Look-ups on the
/// same stream see the table before or after, those on others may see part of it, and that they did.
///
/// places, words  device-accessible, unchanged until the stream has passed this point; places are distinct, and none is
///                the header's first word.
[[nodiscard]] KernelCall table_update(const TableUpdate& update) noexcept;

}  // namespace kvbm::kernels
