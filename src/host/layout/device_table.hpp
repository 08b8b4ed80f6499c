#pragma once

#include <cstddef>
#include <memory>
#include <span>

#include "kvbm/device/device.hpp"

namespace kvbm {

/// A table of addresses in device memory, which the pointer owns together with its device.
/// Errors  DeviceError. Cost  waits for the device.
[[nodiscard]] std::shared_ptr<std::byte* const> upload_table(const std::shared_ptr<Device>& device,
                                                             std::span<std::byte* const> table);

}  // namespace kvbm
