#pragma once

#include <string>
#include <utility>
#include <vector>

#include "tests/support/forwarding_device.hpp"

namespace kvbm::test {

/// What a lossy device leaves out, without a word to whoever enqueued it.
struct Losses {
  std::string kernel{};        ///< launches of that name are dropped
  std::size_t copy_bytes = 0;  ///< copies of so many bytes lose the last of them; 0: none
};

/// An emulated device that says it did everything, and did not. For tests of what verifies.
class LossyDevice final : public ForwardingDevice {
 public:
  explicit LossyDevice(Losses losses) : losses_(std::move(losses)) {}

  void copy(void* target, const void* source, std::size_t bytes, StreamView stream) override {
    emulated().copy(target, source, left_of(bytes), stream);
  }
  bool copy_batch(const CopyBatch& batch, StreamView stream) override {
    std::vector<std::size_t> bytes;
    for (const std::size_t each : batch.bytes) bytes.push_back(left_of(each));
    return emulated().copy_batch({batch.targets, batch.sources, bytes}, stream);
  }
  void launch(const KernelCall& call, StreamView stream) override {
    if (call.name() != losses_.kernel) emulated().launch(call, stream);
  }

 private:
  [[nodiscard]] std::size_t left_of(std::size_t bytes) const noexcept {
    return bytes != 0 && bytes == losses_.copy_bytes ? bytes - 1 : bytes;
  }

  const Losses losses_;
};

}  // namespace kvbm::test
