#pragma once

#include "kernels/copy_cells.hpp"
#include "kernels/page_checksum.hpp"
#include "kernels/page_fill.hpp"
#include "kernels/permute_cells.hpp"
#include "kernels/prefix_match.hpp"
#include "kernels/table_update.hpp"
#include "kernels/token_hash.hpp"
#include "kvbm/device/stream.hpp"

namespace kvbm::kernels {

/// What KernelCalls launch on a CUDA stream; all null where there is no CUDA code. The host library makes calls without
/// knowing whether the device library is linked: that one puts its launchers here before it opens a device.
///
/// Errors  CudaError if a launch is refused.
struct LaunchTable {
  void (*copy_cells)(const CopyCells&, StreamView) = nullptr;
  void (*bulk_copy_cells)(const CopyCells&, StreamView) = nullptr;
  void (*permute_cells)(const PermuteCells&, StreamView) = nullptr;
  void (*checksum_pages)(const ChecksumPages&, StreamView) = nullptr;
  void (*fill_pages)(const FillPages&, StreamView) = nullptr;
  void (*match_fingerprints)(const PrefixMatchBatch<FingerprintSlot, std::uint64_t>&, StreamView) = nullptr;
  void (*match_hashes)(const PrefixMatchBatch<FingerprintSlot, SequenceHash>&, StreamView) = nullptr;
  void (*match_exactly)(const PrefixMatchBatch<ExactSlot, SequenceHash>&, StreamView) = nullptr;
  void (*table_update)(const TableUpdate&, StreamView) = nullptr;
  void (*token_hash)(const TokenHashBatch&, StreamView) = nullptr;
};

/// Threads  any.
[[nodiscard]] const LaunchTable& launch_table() noexcept;
/// Lifetime  `table` stays for as long as the program.
/// Threads   any; calls made before stay without launcher.
void set_launch_table(const LaunchTable& table) noexcept;

}  // namespace kvbm::kernels
