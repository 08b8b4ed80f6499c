#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "kvbm/device/device.hpp"
#include "reference.hpp"
#include "runtime.hpp"

namespace engine {

/// A model, what it is asked, and the right answers.
struct Exam {
  std::vector<float> weights;
  std::vector<Turn> workload;
  Reference reference;
};

[[nodiscard]] Exam make_exam(std::uint32_t requests, std::uint64_t seed);

/// How an engine did in an exam.
struct TrialResult {
  std::uint32_t equal = 0;   ///< requests whose tokens and logits are right to the last bit
  std::uint32_t failed = 0;  ///< requests that reported a failure
  std::uint32_t wrong = 0;   ///< all others
  std::string first_failure{};
  bool all_free = true;  ///< no block was missing from either tier afterwards
  RuntimeCounts counts{};
  CacheCounts cache{};

  /// Nothing is wrong, nothing is lost.
  [[nodiscard]] bool is_sound() const { return wrong == 0 && all_free; }
};

/// An engine on `device` takes the exam. If the device lets none start, all requests have failed.
[[nodiscard]] TrialResult run_trial(std::shared_ptr<kvbm::Device> device, const RuntimeOptions& options,
                                    const Exam& exam);

}  // namespace engine
