#include "reference.hpp"

#include <limits>

#include "forward_pass.hpp"

namespace engine {
namespace {

/// A cache of one page that is as long as a sequence can be.
class FlatCache {
 public:
  FlatCache() : floats_(std::size_t{kLayers} * 2 * kPositions * kWidth) {}

  /// Forgets everything: what is read before it is written spoils the result.
  void clear() { floats_.assign(floats_.size(), std::numeric_limits<float>::quiet_NaN()); }
  [[nodiscard]] CacheView view() {
    constexpr std::uint64_t kCellBytes = std::uint64_t{kPositions} * kWidth * sizeof(float);
    return {.pages = {.base = reinterpret_cast<std::byte*>(floats_.data()),
                      .layer_stride = 2 * kCellBytes,
                      .outer_stride = kCellBytes,
                      .cell_bytes = kCellBytes,
                      .layers = kLayers,
                      .outer = 2},
            .tokens_per_block = kPositions};
  }

 private:
  std::vector<float> floats_;
};

class ReferenceEngine {
 public:
  explicit ReferenceEngine(const std::vector<float>& weights)
      : weights_{weights.data()},
        inputs_(kLimits.input_words()),
        activations_(kLimits.activation_floats()),
        outputs_(kLimits.output_words()) {}

  [[nodiscard]] Answer answer(const Tokens& prompt, std::uint32_t output_tokens) {
    Answer answer;
    cache_.clear();
    compute(prompt, 0, answer);
    while (answer.tokens.size() < output_tokens) {
      const std::size_t position = prompt.size() + answer.tokens.size() - 1;
      compute({answer.tokens.back()}, static_cast<std::uint32_t>(position), answer);
    }
    return answer;
  }

 private:
  static constexpr StepLimits kLimits{.rows = kPositions, .sequences = 1, .pages = 1};

  /// Computes `tokens`, which stand from `position` on, and adds what follows the last of them to `answer`.
  void compute(const Tokens& tokens, std::uint32_t position, Answer& answer) {
    const kvbm::BlockId page = 0;
    step_.clear();
    step_.add_sequence({&page, 1}, 0);
    for (std::uint32_t i = 0; i < tokens.size(); ++i) {
      step_.add_row(tokens[i], position + i, i + 1 == tokens.size());
    }
    step_.pack(inputs_.data());
    run_step(step_, {weights_, cache_.view(), inputs_.data(), activations_.data(), outputs_.data()},
             [](const kvbm::KernelCall& call) { call.run_on_host(); });
    const StepOutputs outputs = outputs_of(step_, outputs_.data());
    answer.logits.insert(answer.logits.end(), outputs.logits.begin(), outputs.logits.end());
    answer.tokens.push_back(outputs.tokens.front());
  }

  Weights weights_;
  FlatCache cache_;
  Step step_;
  std::vector<std::uint32_t> inputs_;
  std::vector<float> activations_;
  std::vector<float> outputs_;
};

}  // namespace

Reference run_reference(const std::vector<Turn>& workload, const std::vector<float>& weights) {
  ReferenceEngine engine(weights);
  Reference reference;
  for (const Turn& turn : workload) {
    Tokens prompt;
    if (turn.previous) {
      prompt = reference.prompts[*turn.previous];
      const Tokens& said = reference.answers[*turn.previous].tokens;
      prompt.insert(prompt.end(), said.begin(), said.end());
    }
    prompt.insert(prompt.end(), turn.tokens.begin(), turn.tokens.end());
    reference.answers.push_back(engine.answer(prompt, turn.output_tokens));
    reference.prompts.push_back(std::move(prompt));
  }
  return reference;
}

}  // namespace engine
