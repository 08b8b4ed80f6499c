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

/// "<which> <value> is out of range, limit <limit>".
[[nodiscard]] inline LayoutError index_error(std::string_view which, std::uint64_t value, std::uint64_t limit) {
  return {LayoutError::Code::IndexOutOfRange,
          std::string(which) + " " + std::to_string(value) + " is out of range, limit " + std::to_string(limit), limit,
          value};
}

[[nodiscard]] inline LayoutError no_device_error() {
  return {LayoutError::Code::NoDevice, "a layout of pinned or device memory needs the device that reaches it"};
}

}  // namespace kvbm
