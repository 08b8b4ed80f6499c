#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kvbm/device/device.hpp"
#include "stages.hpp"

namespace engine {

/// How large a step may be.
struct StepLimits {
  std::uint32_t rows = 0;
  std::uint32_t sequences = 0;
  std::uint32_t pages = 0;  ///< of all sequences together

  [[nodiscard]] std::size_t input_words() const { return std::size_t{4} * rows + 2 * sequences + pages; }
  [[nodiscard]] std::size_t activation_floats() const { return std::size_t{rows} * (4 * kWidth + kMlp); }
  /// Logits of the sampled rows and, behind them, the token picked for each.
  [[nodiscard]] std::size_t output_words() const { return std::size_t{rows} * (kVocabulary + 1); }
};

/// The tokens to compute in one step. Rows of one sequence have rising positions; their pages hold what is before.
struct Step {
  std::vector<std::uint32_t> tokens, positions, sequences;
  std::vector<std::uint32_t> sampled_rows;  ///< whose logits are wanted
  std::vector<std::uint32_t> page_begins, writable_from;
  std::vector<kvbm::BlockId> pages;

  [[nodiscard]] std::uint32_t rows() const { return static_cast<std::uint32_t>(tokens.size()); }
  [[nodiscard]] std::uint32_t samples() const { return static_cast<std::uint32_t>(sampled_rows.size()); }
  [[nodiscard]] std::uint32_t sequence_count() const { return static_cast<std::uint32_t>(page_begins.size()); }

  void clear();
  /// Adds a sequence, to which the rows added from now on belong. Positions before `writable` have keys and values.
  void add_sequence(std::span<const kvbm::BlockId> page_table, std::size_t writable);
  void add_row(std::uint32_t token, std::uint32_t position, bool sampled);
  /// Writes everything, in the order that StepArrays expects. Returns how many words.
  std::size_t pack(std::uint32_t* words) const;
};

/// The arrays of one step, all in memory of whoever runs it. `inputs` is what Step::pack wrote.
struct StepArrays {
  Weights weights;
  CacheView cache;
  const std::uint32_t* inputs;
  float* activations;  ///< [StepLimits::activation_floats()] for that many rows at least
  float* outputs;      ///< logits [samples, vocabulary], then tokens [samples]
};

/// Hands the kernels of one step to `launch`, in order.
void run_step(const Step& step, const StepArrays& arrays, const std::function<void(const kvbm::KernelCall&)>& launch);

/// What a step computed.
///
/// Shape  logits [samples, vocabulary]; tokens [samples], the likeliest of each
struct StepOutputs {
  std::span<const float> logits;
  std::span<const std::uint32_t> tokens;
};
[[nodiscard]] StepOutputs outputs_of(const Step& step, const float* outputs);

}  // namespace engine
