#include "forward_pass.hpp"

#include <algorithm>

namespace engine {

void Step::clear() {
  for (std::vector<std::uint32_t>* array :
       {&tokens, &positions, &sequences, &sampled_rows, &page_begins, &writable_from, &pages}) {
    array->clear();
  }
}

void Step::add_sequence(std::span<const kvbm::BlockId> page_table, std::size_t writable) {
  page_begins.push_back(static_cast<std::uint32_t>(pages.size()));
  writable_from.push_back(static_cast<std::uint32_t>(writable));
  pages.insert(pages.end(), page_table.begin(), page_table.end());
}

void Step::add_row(std::uint32_t token, std::uint32_t position, bool sampled) {
  if (sampled) sampled_rows.push_back(rows());
  tokens.push_back(token);
  positions.push_back(position);
  sequences.push_back(sequence_count() - 1);
}

std::size_t Step::pack(std::uint32_t* words) const {
  std::uint32_t* end = words;
  for (const auto* array : {&tokens, &positions, &sequences, &sampled_rows, &page_begins, &writable_from, &pages}) {
    end = std::copy(array->begin(), array->end(), end);
  }
  return static_cast<std::size_t>(end - words);
}

void run_step(const Step& step, const StepArrays& arrays, const std::function<void(const kvbm::KernelCall&)>& launch) {
  const std::uint32_t rows = step.rows();
  const std::uint32_t samples = step.samples();
  const std::uint32_t* sampled_rows = arrays.inputs + std::size_t{3} * rows;
  const BatchView batch{.tokens = arrays.inputs,
                        .positions = arrays.inputs + rows,
                        .sequences = arrays.inputs + std::size_t{2} * rows,
                        .page_begins = sampled_rows + samples,
                        .writable_from = sampled_rows + samples + step.sequence_count(),
                        .pages = sampled_rows + samples + std::size_t{2} * step.sequence_count(),
                        .rows = rows};
  float* stream = arrays.activations;  // what the residuals add up to
  float* normal = stream + std::size_t{rows} * kWidth;
  float* queries = normal + std::size_t{rows} * kWidth;
  float* attended = queries + std::size_t{rows} * kWidth;
  float* mlp = attended + std::size_t{rows} * kWidth;
  const Weights& weights = arrays.weights;

  launch(stage_call(Embed{weights, batch, stream}));
  for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
    launch(stage_call(Normalize{stream, nullptr, rows, normal}));
    launch(stage_call(ProjectQkv{weights, batch, arrays.cache, layer, normal, queries}));
    launch(stage_call(Attend{batch, arrays.cache, layer, queries, attended}));
    launch(stage_call(ProjectOutput{attended, weights.output(layer), rows, stream}));
    launch(stage_call(Normalize{stream, nullptr, rows, normal}));
    launch(stage_call(ProjectUp{normal, weights.up(layer), rows, mlp}));
    launch(stage_call(ProjectDown{mlp, weights.down(layer), rows, stream}));
  }
  if (samples == 0) return;
  launch(stage_call(Normalize{stream, sampled_rows, samples, normal}));
  launch(stage_call(Unembed{normal, weights.unembedding(), samples, arrays.outputs}));
  auto* tokens = reinterpret_cast<std::uint32_t*>(arrays.outputs + std::size_t{samples} * kVocabulary);
  launch(stage_call(PickLargest{arrays.outputs, samples, tokens}));
}

StepOutputs outputs_of(const Step& step, const float* outputs) {
  const std::size_t logits = std::size_t{step.samples()} * kVocabulary;
  return {{outputs, logits}, {reinterpret_cast<const std::uint32_t*>(outputs + logits), step.samples()}};
}

}  // namespace engine
