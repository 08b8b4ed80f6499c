#pragma once

#include <string>

#include "kvbm/device/device_error.hpp"

namespace kvbm {

/// CUDA refused a call. The text names the call, the place, and the runtime's name and explanation of the code.
class CudaError : public DeviceError {
 public:
  CudaError(Kind kind, int code, const std::string& text) : DeviceError(kind, text), code_(code) {}

  /// The runtime's number for it (cudaError_t).
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

}  // namespace kvbm
