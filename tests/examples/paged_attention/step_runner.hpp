#pragma once

#include <array>
#include <memory>
#include <vector>

#include "forward_pass.hpp"
#include "kvbm/device/device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/memory/memory.hpp"

namespace engine {

/// Runs steps on a device: weights and activations lie there, inputs and outputs go through pinned memory.
///
/// Order   steps follow one another on the compute stream. enqueue() returns before the step has run.
/// Errors  DeviceError, CudaError. A step that was refused may have run in part: drain() before its pages go.
class StepRunner {
 public:
  StepRunner(std::shared_ptr<kvbm::Device> device, kvbm::StreamView compute,
             std::shared_ptr<const kvbm::BlockLayout> cache, const std::vector<float>& weights,
             const StepLimits& limits);

  void enqueue(const Step& step);
  /// Waits for the step that was enqueued last. Its outputs are good until the next one.
  [[nodiscard]] StepOutputs wait(const Step& step);
  /// Waits until nothing runs any more.
  void drain() { device_->synchronize(compute_); }

 private:
  /// Memory that the host writes for a step, and that is free again when `read` has passed.
  struct Inputs {
    kvbm::Memory pinned;
    kvbm::Event read;
  };

  std::shared_ptr<kvbm::Device> device_;
  kvbm::StreamView compute_;
  std::shared_ptr<const kvbm::BlockLayout> cache_;
  kvbm::Memory weights_;
  kvbm::Memory inputs_;
  kvbm::Memory activations_;
  kvbm::Memory outputs_;
  kvbm::Memory pinned_outputs_;
  std::array<Inputs, 2> pinned_inputs_;
  std::size_t steps_ = 0;
};

}  // namespace engine
