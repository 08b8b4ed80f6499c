#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kvbm/layout/layout_config.hpp"

namespace kvbm {

/// An error that speaks of two numbers: "<what>: needed <needed>, got <got>".
[[nodiscard]] inline LayoutError numbers_error(LayoutError::Code code, std::string_view what, std::uint64_t needed,
                                               std::uint64_t got) {
  return {code, std::string(what) + ": needed " + std::to_string(needed) + ", got " + std::to_string(got), needed, got};
}

[[nodiscard]] inline LayoutError no_device_error() {
  return {LayoutError::Code::NoDevice, "a layout of pinned or device memory needs the device that reaches it"};
}

}  // namespace kvbm
