#pragma once

#include <stdexcept>
#include <string>

namespace kvbm {

/// CUDA refused a call. The text names the call, the place, and the runtime's name and explanation of the code.
class CudaError : public std::runtime_error {
 public:
  CudaError(int code, const std::string& text) : std::runtime_error(text), code_(code) {}

  /// The runtime's number for it (cudaError_t).
  [[nodiscard]] int code() const noexcept { return code_; }

 private:
  int code_;
};

}  // namespace kvbm
