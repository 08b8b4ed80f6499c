#pragma once

#include "kernels/launch_table.hpp"

namespace kvbm::kernels {

/// The launchers of kernels/*.cu, for the launch table. Device library only.
///
/// Errors  CudaError if a launch is refused; nothing to do launches nothing.
void launch_copy_cells(const CopyCells& copy, StreamView stream);
void launch_bulk_copy_cells(const CopyCells& copy, StreamView stream);
void launch_permute_cells(const PermuteCells& permute, StreamView stream);
void launch_checksum_pages(const ChecksumPages& checksum, StreamView stream);
void launch_fill_pages(const FillPages& fill, StreamView stream);
template <class Slot, class Input>
void launch_prefix_match(const PrefixMatchBatch<Slot, Input>& batch, StreamView stream);
void launch_table_update(const TableUpdate& update, StreamView stream);
void launch_token_hash(const TokenHashBatch& batch, StreamView stream);

/// The answers of launch_prefix_match in several passes, to compare with: every key on its own, then the least position
/// of a miss for each request.
///
/// misses   [keys], device-accessible scratch.
/// scratch  scratch_bytes of device memory; with null, only sets `scratch_bytes` to what is needed.
template <class Slot, class Input>
void launch_prefix_match_in_passes(const PrefixMatchBatch<Slot, Input>& batch, std::uint32_t keys,
                                   std::uint32_t* misses, void* scratch, std::size_t& scratch_bytes, StreamView stream);

}  // namespace kvbm::kernels
