#pragma once

#include <cuda_runtime_api.h>

namespace kvbm {

/// Errors  CudaError naming `call`, `file` and `line`, always. The runtime's own record of the error is cleared.
[[noreturn]] void throw_cuda_error(cudaError_t code, const char* call, const char* file, int line);
/// For destructors: one line on stderr, unless the device is broken or the process ends, when everything fails. Whether
/// the call went well.
bool report_cuda_error(cudaError_t code, const char* call, const char* file, int line) noexcept;

}  // namespace kvbm

/// Runs a CUDA call and throws CudaError if it is refused.
#define KVBM_CUDA_TRY(call)                                               \
  do {                                                                    \
    if (const cudaError_t kvbm_code = (call); kvbm_code != cudaSuccess) { \
      ::kvbm::throw_cuda_error(kvbm_code, #call, __FILE__, __LINE__);     \
    }                                                                     \
  } while (false)

/// Runs a CUDA call and reports if it is refused: true if it went well.
#define KVBM_CUDA_NOTHROW(call) ::kvbm::report_cuda_error((call), #call, __FILE__, __LINE__)
