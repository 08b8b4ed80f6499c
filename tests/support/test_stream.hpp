#pragma once

#include <memory>

#include "kvbm/device/stream_owner.hpp"

namespace kvbm::test {

inline Stream stream_of(const std::shared_ptr<Device>& device) {
  return Stream(device, StreamPriority::Normal, "test");
}

}  // namespace kvbm::test
