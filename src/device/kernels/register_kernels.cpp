#include "cuda/kernel_registration.hpp"
#include "kernels/launchers.hpp"

namespace kvbm {
namespace {

constexpr kernels::LaunchTable kLaunchers{.copy_cells = &kernels::launch_copy_cells,
                                          .bulk_copy_cells = &kernels::launch_bulk_copy_cells,
                                          .permute_cells = &kernels::launch_permute_cells,
                                          .checksum_pages = &kernels::launch_checksum_pages,
                                          .fill_pages = &kernels::launch_fill_pages,
                                          .match_fingerprints = &kernels::launch_prefix_match,
                                          .match_hashes = &kernels::launch_prefix_match,
                                          .match_exactly = &kernels::launch_prefix_match,
                                          .table_update = &kernels::launch_table_update,
                                          .token_hash = &kernels::launch_token_hash};

}  // namespace

void register_kernels() noexcept { kernels::set_launch_table(kLaunchers); }

}  // namespace kvbm
