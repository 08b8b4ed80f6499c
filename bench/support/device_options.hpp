#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "kvbm/device/emulated_device.hpp"

namespace CLI {
class App;
}

namespace kvbm::bench {

enum class DeviceChoice : std::uint8_t {
  Auto,  ///< the first GPU if there is one, else an emulated device
  Cuda,
  Emulated,
};

struct DeviceOptions {
  DeviceChoice choice = DeviceChoice::Auto;
  EmulatedDeviceOptions emulated{};
};

/// Errors  std::runtime_error with the reason if a GPU is wanted and there is none; DeviceError.
[[nodiscard]] std::shared_ptr<Device> open_device(const DeviceOptions& options);

/// The part of a command line that speaks of the device: as written, and as understood.
class DeviceCommandLine {
 public:
  void add_to(CLI::App& app);
  /// Errors  CLI::ValidationError naming the option, also if a GPU is wanted and there is none.
  [[nodiscard]] DeviceOptions options() const;

 private:
  std::string device_ = "auto";
  std::string delays_;
  std::string faults_;
};

}  // namespace kvbm::bench
