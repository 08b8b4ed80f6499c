#pragma once

#include <cstdint>
#include <stdexcept>
#include <string>

namespace kvbm {

/// A device refused a call, or reports that work enqueued earlier failed. The text names the call and the reason.
class DeviceError : public std::runtime_error {
 public:
  enum class Kind : std::uint8_t {
    Refused,      ///< this call alone; the device goes on
    OutOfMemory,  ///< as Refused
    Broken,       ///< sticky: every later call to the device fails too
  };

  DeviceError(Kind kind, const std::string& text) : std::runtime_error(text), kind_(kind) {}

  [[nodiscard]] Kind kind() const noexcept { return kind_; }

 private:
  Kind kind_;
};

}  // namespace kvbm
