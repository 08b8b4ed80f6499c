#include "cuda/cuda_try.hpp"

#include <cstdio>
#include <string>

#include "kvbm/cuda/error.hpp"

namespace kvbm {
namespace {

/// Whether a code means that the context is lost: the runtime answers every later call with it.
bool is_sticky(cudaError_t code) noexcept {
  switch (code) {
    case cudaErrorIllegalAddress:
    case cudaErrorLaunchFailure:
    case cudaErrorLaunchTimeout:
    case cudaErrorHardwareStackError:
    case cudaErrorIllegalInstruction:
    case cudaErrorMisalignedAddress:
    case cudaErrorInvalidAddressSpace:
    case cudaErrorInvalidPc:
    case cudaErrorAssert:
    case cudaErrorECCUncorrectable:
    case cudaErrorNvlinkUncorrectable:
    case cudaErrorContextIsDestroyed:
    case cudaErrorCudartUnloading:
    case cudaErrorMpsClientTerminated:
    case cudaErrorExternalDevice:
    case cudaErrorUnknown:
      return true;
    default:
      return false;
  }
}

DeviceError::Kind kind_of(cudaError_t code) noexcept {
  if (code == cudaErrorMemoryAllocation) return DeviceError::Kind::OutOfMemory;
  return is_sticky(code) ? DeviceError::Kind::Broken : DeviceError::Kind::Refused;
}

}  // namespace

void throw_cuda_error(cudaError_t code, const char* call, const char* file, int line) {
  static_cast<void>(cudaGetLastError());  // otherwise it would surface in an unrelated call
  throw CudaError(kind_of(code), static_cast<int>(code),
                  std::string(call) + " at " + file + ":" + std::to_string(line) + ": " + cudaGetErrorName(code) +
                      ", " + cudaGetErrorString(code));
}

bool report_cuda_error(cudaError_t code, const char* call, const char* file, int line) noexcept {
  if (code == cudaSuccess) return true;
  static_cast<void>(cudaGetLastError());
  if (!is_sticky(code)) {
    std::fprintf(stderr, "kvbm: %s at %s:%d: %s, %s\n", call, file, line, cudaGetErrorName(code),
                 cudaGetErrorString(code));
  }
  return false;
}

}  // namespace kvbm
