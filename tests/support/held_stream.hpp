#pragma once

#include <memory>

#include "kvbm/device/stream_owner.hpp"
#include "tests/support/kernel_gate.hpp"

namespace kvbm::test {

/// A stream with a kernel that holds it until the test opens it.
class HeldStream {
 public:
  explicit HeldStream(const std::shared_ptr<Device>& device) : stream_(device, StreamPriority::Normal, "test.held") {
    device->launch(gate_.call(), stream_.view());
  }
  [[nodiscard]] StreamView view() const noexcept { return stream_.view(); }
  void open() const { gate_.open(); }

 private:
  Stream stream_;
  KernelGate gate_;  // after the stream: its end opens it
};

}  // namespace kvbm::test
