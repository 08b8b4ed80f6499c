#pragma once

namespace kvbm {

/// Puts the launchers of kvbm's kernels where KernelCalls find them (kernels/launch_table.hpp). Whoever opens a CUDA
/// device calls it first. Defined above, in src/device/kernels; declared here since kernels stand on cuda.
///
/// Threads  any; further calls change nothing.
void register_kernels() noexcept;

}  // namespace kvbm
