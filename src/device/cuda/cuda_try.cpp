#include "cuda/cuda_try.hpp"

#include <string>

#include "kvbm/cuda/error.hpp"

namespace kvbm {

void throw_cuda_error(cudaError_t code, const char* call, const char* file, int line) {
  static_cast<void>(cudaGetLastError());  // otherwise it would surface in an unrelated call
  throw CudaError(static_cast<int>(code), std::string(call) + " at " + file + ":" + std::to_string(line) + ": " +
                                              cudaGetErrorName(code) + ", " + cudaGetErrorString(code));
}

}  // namespace kvbm
