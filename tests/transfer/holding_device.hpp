#pragma once

#include <atomic>

#include "tests/support/forwarding_device.hpp"
#include "tests/support/kernel_gate.hpp"

namespace kvbm::test {

/// One copy waits on the device until the test lets it go.
class HoldingDevice final : public ForwardingDevice {
 public:
  /// The n-th copy from now on.
  void hold(int n) { number_ = copies_ + n; }
  void copy(void* target, const void* source, std::size_t bytes, StreamView stream) override {
    if (++copies_ == number_) emulated().launch(gate_.call(), stream);
    emulated().copy(target, source, bytes, stream);
  }
  void open() const { gate_.open(); }
  using ForwardingDevice::emulated;

 private:
  std::atomic<int> copies_{0}, number_{0};
  const KernelGate gate_;
};

}  // namespace kvbm::test
