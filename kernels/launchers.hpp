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

}  // namespace kvbm::kernels
