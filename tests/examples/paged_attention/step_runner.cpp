#include "step_runner.hpp"

#include <algorithm>

#include "kvbm/memory/pinned_memory.hpp"

namespace engine {
namespace {

kvbm::Memory upload(const std::shared_ptr<kvbm::Device>& device, const std::vector<float>& values,
                    kvbm::StreamView stream) {
  const std::size_t bytes = values.size() * sizeof(float);
  const kvbm::Memory staging = kvbm::allocate_pinned(device, bytes);
  kvbm::Memory memory = kvbm::allocate_device(device, bytes);
  std::copy(values.begin(), values.end(), reinterpret_cast<float*>(staging.address()));
  device->copy(memory.address(), staging.address(), bytes, stream);
  device->synchronize(stream);
  return memory;
}

template <class T>
T* as(const kvbm::Memory& memory) {
  return reinterpret_cast<T*>(memory.address());
}

}  // namespace

StepRunner::StepRunner(std::shared_ptr<kvbm::Device> device, kvbm::StreamView compute,
                       std::shared_ptr<const kvbm::BlockLayout> cache, const std::vector<float>& weights,
                       const StepLimits& limits)
    : device_(std::move(device)),
      compute_(compute),
      cache_(std::move(cache)),
      weights_(upload(device_, weights, compute_)),
      inputs_(kvbm::allocate_device(device_, limits.input_words() * sizeof(std::uint32_t))),
      activations_(kvbm::allocate_device(device_, limits.activation_floats() * sizeof(float))),
      outputs_(kvbm::allocate_device(device_, limits.output_words() * sizeof(float))),
      pinned_outputs_(kvbm::allocate_pinned(device_, limits.output_words() * sizeof(float))),
      pinned_inputs_{
          Inputs{kvbm::allocate_pinned(device_, limits.input_words() * sizeof(std::uint32_t)), kvbm::Event(device_)},
          Inputs{kvbm::allocate_pinned(device_, limits.input_words() * sizeof(std::uint32_t)), kvbm::Event(device_)}} {}

void StepRunner::enqueue(const Step& step) {
  Inputs& inputs = pinned_inputs_[steps_++ % pinned_inputs_.size()];
  device_->synchronize(inputs.read.view());
  const std::size_t words = step.pack(as<std::uint32_t>(inputs.pinned));
  device_->copy(inputs_.address(), inputs.pinned.address(), words * sizeof(std::uint32_t), compute_);
  device_->record(inputs.read.view(), compute_);
  run_step(step,
           {.weights = {as<float>(weights_)},
            .cache = {cache_->device_view(), cache_->config().tokens},
            .inputs = as<std::uint32_t>(inputs_),
            .activations = as<float>(activations_),
            .outputs = as<float>(outputs_)},
           [this](const kvbm::KernelCall& call) { device_->launch(call, compute_); });
  if (step.samples() == 0) return;
  const std::size_t output_words = std::size_t{step.samples()} * (kVocabulary + 1);
  device_->copy(pinned_outputs_.address(), outputs_.address(), output_words * sizeof(float), compute_);
}

StepOutputs StepRunner::wait(const Step& step) {
  drain();
  return outputs_of(step, as<float>(pinned_outputs_));
}

}  // namespace engine
