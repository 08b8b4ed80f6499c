#pragma once

#include "bench/support/matrix_product.hpp"
#include "kvbm/device/stream.hpp"

namespace kvbm::bench {

/// Errors  CudaError if the launch is refused.
void launch_matrix_product(const MatrixProduct& product, StreamView stream);

}  // namespace kvbm::bench
