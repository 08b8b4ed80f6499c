#include "bench/support/device_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <stdexcept>
#include <utility>

#include "bench/support/option_values.hpp"
#include "kvbm/device/cuda_device.hpp"

namespace kvbm::bench {
namespace {

DeviceFault parse_fault(std::string_view text) {
  constexpr const char* kOption = "--emulate-faults";
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw CLI::ValidationError(kOption, fmt::format("'{}' is not KIND:N", text));
  }
  const std::uint64_t n = whole_number(kOption, text.substr(colon + 1), 1);
  const std::string_view kind = text.substr(0, colon);
  if (kind == "copy") return {FaultKind::Copy, n};
  if (kind == "allocation") return {FaultKind::Allocation, n};
  if (kind == "launch") return {FaultKind::Launch, n};
  if (kind == "event") return {FaultKind::Event, n};
  throw CLI::ValidationError(kOption, fmt::format("'{}' is none of copy, allocation, launch, event", kind));
}

}  // namespace

std::shared_ptr<Device> open_device(const DeviceOptions& options) {
  if (options.choice == DeviceChoice::Emulated) return EmulatedDevice::create(options.emulated);
  auto gpu = open_cuda_device(0);
  if (gpu) return std::move(*gpu);
  if (options.choice == DeviceChoice::Cuda) throw std::runtime_error("--device cuda: " + gpu.error().reason);
  return EmulatedDevice::create(options.emulated);
}

void DeviceCommandLine::add_to(CLI::App& app) {
  app.add_option("--device", device_,
                 "what holds the pages of two tiers, and looks up for --lookup device: cuda, emulated, or auto for a "
                 "GPU if any")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"auto", "cuda", "emulated"}))
      ->type_name("DEVICE");
  app.add_option("--emulate-delays", delays_, "let the work of an emulated device come late, as this number decides")
      ->take_last()
      ->type_name("SEED");
  app.add_option("--emulate-faults", faults_, "let the N-th copy, allocation, launch or event call fail")
      ->take_last()
      ->type_name("KIND:N[,KIND:N...]");
}

DeviceOptions DeviceCommandLine::options() const {
  DeviceOptions options;
  if (!delays_.empty()) options.emulated.delay_seed = whole_number("--emulate-delays", delays_);
  if (!faults_.empty()) {
    for (const std::string_view fault : split(faults_)) options.emulated.faults.push_back(parse_fault(fault));
  }
  const bool emulated = !delays_.empty() || !faults_.empty();
  if (device_ == "emulated" || (emulated && device_ == "auto")) options.choice = DeviceChoice::Emulated;
  if (device_ != "cuda") return options;
  options.choice = DeviceChoice::Cuda;
  if (emulated) throw CLI::ValidationError("--device", "a GPU has neither emulated delays nor emulated faults");
  const auto gpu = open_cuda_device(0);
  if (!gpu) throw CLI::ValidationError("--device", fmt::format("there is no GPU: {}", gpu.error().reason));
  return options;
}

}  // namespace kvbm::bench
