#include <algorithm>
#include <cstdio>
#include <exception>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/device/cuda_device.hpp"
#include "kvbm/device/emulated_device.hpp"
#include "options.hpp"
#include "trial.hpp"

namespace engine {
namespace {

constexpr int kSkipped = 77;  // what ctest takes for a test that cannot run here

/// What the engine has done. False if some path was never taken.
bool print_counts(const TrialResult& result) {
  const std::pair<const char*, std::uint64_t> paths[] = {
      {"steps", result.counts.steps},
      {"tokens computed", result.counts.rows},
      {"prefill chunks with more to come", result.counts.chunks},
      {"blocks found in G1", result.cache.g1_hits},
      {"blocks found in G2", result.cache.g2_hits},
      {"blocks onboarded to G1", result.cache.onboarded},
      {"blocks evicted from G1", result.cache.evicted},
      {"blocks offloaded to G2", result.cache.offloaded},
      {"sequences preempted", result.counts.preemptions},
  };
  bool all_taken = true;
  for (const auto& [name, count] : paths) {
    std::printf("%12llu  %s\n", static_cast<unsigned long long>(count), name);
    all_taken = all_taken && count > 0;
  }
  return all_taken;
}

void print_result(const TrialResult& result) {
  std::printf("%12u  requests equal to the reference bit for bit\n%12u  failed\n%12u  wrong\n", result.equal,
              result.failed, result.wrong);
  if (result.failed != 0) std::printf("first failure: %s\n", result.first_failure.c_str());
  if (!result.all_free) std::puts("blocks are missing from a tier");
}

RuntimeOptions runtime_options(const Options& options) {
  return {.cache = {.g1_blocks = options.g1_blocks, .g2_blocks = options.g2_blocks}};
}

/// One trial on this device.
bool run_once(std::shared_ptr<kvbm::Device> device, const Exam& exam, const Options& options) {
  const TrialResult result = run_trial(std::move(device), runtime_options(options), exam);
  const bool all_taken = print_counts(result);
  print_result(result);
  if (options.expect_all_paths && !all_taken) {
    std::puts("some path was not taken");
    return false;
  }
  return result.is_sound() && (result.failed == 0 || !options.faults.empty());
}

std::shared_ptr<kvbm::EmulatedDevice> device_with(const kvbm::DeviceFault& fault, const Options& options) {
  return kvbm::EmulatedDevice::create({.delay_seed = options.delays, .faults = {fault}});
}

/// A trial for each call that can fail, and for fewer and fewer of the later ones, until the engine is done before.
/// Most calls of some kinds belong to its start: of those the 1st, 2nd, 4th and so on.
bool sweep(kvbm::DeviceFault fault, const Exam& exam, const Options& options) {
  const auto idle = kvbm::EmulatedDevice::create();
  static_cast<void>(run_trial(idle, runtime_options(options), Exam{.weights = exam.weights}));
  const std::uint64_t calls_at_start = idle->call_counts().of(fault.kind);
  std::uint32_t trials = 0, with_failures = 0, with_failed_copies = 0, with_refused_steps = 0;
  fault.n = 1;
  for (bool reached = true; reached;) {
    const auto device = device_with(fault, options);
    const TrialResult result = run_trial(device, runtime_options(options), exam);
    if (!result.is_sound()) {
      std::printf("with the fault at call %llu:\n", static_cast<unsigned long long>(fault.n));
      print_counts(result);
      print_result(result);
      return false;
    }
    ++trials;
    with_failures += result.failed != 0 ? 1 : 0;
    with_failed_copies += result.cache.failures != 0 ? 1 : 0;
    with_refused_steps += result.counts.reverted_steps != 0 ? 1 : 0;
    reached = device->call_counts().of(fault.kind) >= fault.n;
    fault.n = fault.n < calls_at_start ? std::min(2 * fault.n, calls_at_start + 1)
                                       : fault.n + 1 + (fault.n - calls_at_start) / 4;
  }
  std::printf("%12u  trials, none with a wrong answer or a lost block\n%12u  in which requests failed\n", trials,
              with_failures);
  std::printf("%12u  in which copies between the tiers failed\n%12u  in which the device refused a step\n",
              with_failed_copies, with_refused_steps);
  return true;
}

/// The device asked for; why there is no GPU, if none was found; null if one was wanted.
struct Opened {
  std::shared_ptr<kvbm::Device> device{};
  std::string problem{};
};

Opened open_device(const Options& options) {
  std::string problem;
  if (options.device != Options::DeviceChoice::Emulated) {
    auto cuda = kvbm::open_cuda_device(0);
    if (cuda) return {.device = *cuda};
    problem = cuda.error().reason;
    if (options.device == Options::DeviceChoice::Cuda) return {.problem = problem};
  }
  return {.device = kvbm::EmulatedDevice::create({.delay_seed = options.delays, .faults = options.faults}),
          .problem = problem};
}

int run(const std::vector<std::string>& arguments) {
  const std::variant<Options, std::string> parsed = parse_options(arguments);
  if (const auto* problem = std::get_if<std::string>(&parsed)) {
    std::fprintf(stderr, "%s\n%s", problem->c_str(), Options::kUsage);
    return 2;
  }
  const Options& options = std::get<Options>(parsed);
  if (options.help) {
    std::fputs(Options::kUsage, stdout);
    return 0;
  }
  Opened opened = open_device(options);
  if (!opened.device) {
    std::printf("skipped: %s\n", opened.problem.c_str());
    return kSkipped;
  }
  std::printf("device: %s\n", opened.device->capabilities().name.c_str());
  if (!opened.problem.empty()) std::printf("no GPU: %s\n", opened.problem.c_str());
  const Exam exam = make_exam(options.requests, options.seed);
  const bool good = options.swept_fault ? sweep(*options.swept_fault, exam, options)
                                        : run_once(std::move(opened.device), exam, options);
  return good ? 0 : 1;
}

}  // namespace
}  // namespace engine

int main(int argc, char** argv) {
  try {
    return engine::run(std::vector<std::string>(argv + 1, argv + argc));
  } catch (const std::exception& error) {
    std::fprintf(stderr, "paged_attention: %s\n", error.what());
    return 1;
  }
}
