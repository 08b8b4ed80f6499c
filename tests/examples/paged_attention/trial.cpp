#include "trial.hpp"

#include <cstring>
#include <stdexcept>
#include <utility>

namespace engine {
namespace {

bool is_equal(const Answer& answer, const Answer& expected) {
  return answer.tokens == expected.tokens && answer.logits.size() == expected.logits.size() &&
         std::memcmp(answer.logits.data(), expected.logits.data(), expected.logits.size() * sizeof(float)) == 0;
}

void judge(const std::vector<Outcome>& outcomes, const Reference& reference, TrialResult& result) {
  for (std::size_t i = 0; i < outcomes.size(); ++i) {
    if (!outcomes[i].failure) {
      is_equal(outcomes[i].answer, reference.answers[i]) ? ++result.equal : ++result.wrong;
    } else if (result.failed++ == 0) {
      result.first_failure = *outcomes[i].failure;
    }
  }
}

}  // namespace

Exam make_exam(std::uint32_t requests, std::uint64_t seed) {
  Exam exam{.weights = random_weights(seed), .workload = make_workload(requests, seed), .reference = {}};
  exam.reference = run_reference(exam.workload, exam.weights);
  return exam;
}

TrialResult run_trial(std::shared_ptr<kvbm::Device> device, const RuntimeOptions& options, const Exam& exam) {
  TrialResult result;
  std::optional<Runtime> runtime;
  try {
    runtime.emplace(std::move(device), exam.weights, options);
  } catch (const std::runtime_error& error) {
    result.failed = static_cast<std::uint32_t>(exam.workload.size());
    result.first_failure = std::string("the engine did not start: ") + error.what();
    return result;
  }
  judge(runtime->serve(exam.workload, exam.reference.prompts), exam.reference, result);
  result.all_free = runtime->clear();
  result.counts = runtime->counts();
  result.cache = runtime->cache().counts();
  return result;
}

}  // namespace engine
