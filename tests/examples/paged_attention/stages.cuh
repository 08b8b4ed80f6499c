#pragma once

#include <cmath>
#include <cstdint>

#include "arithmetic.cuh"
#include "stages.hpp"

namespace engine {

/// What the stages do. Each work item computes its outputs alone, summing in one fixed order, so that a row's result
/// depends on its own sequence and on nothing that shares the batch with it.

KVBM_HOST_DEVICE void Embed::operator()(std::uint32_t row) const {
  const float* token = weights.tokens() + std::size_t{batch.tokens[row]} * kWidth;
  const float* position = weights.positions() + std::size_t{batch.positions[row]} * kWidth;
  for (std::uint32_t i = 0; i < kWidth; ++i) output[row * kWidth + i] = token[i] + position[i];
}

KVBM_HOST_DEVICE void Normalize::operator()(std::uint32_t item) const {
  const float* row = input + std::size_t{rows != nullptr ? rows[item] : item} * kWidth;
  float squares = 0.0F;
  for (std::uint32_t i = 0; i < kWidth; ++i) squares = squares + row[i] * row[i];
  const float scale = 1.0F / std::sqrt(squares / kWidth + 1e-6F);
  for (std::uint32_t i = 0; i < kWidth; ++i) output[item * kWidth + i] = row[i] * scale;
}

/// kColumns neighbouring outputs of input * matrix.
template <std::uint32_t kInputs, std::uint32_t kOutputs>
KVBM_HOST_DEVICE void multiply_columns(const float* input, const float* matrix, std::uint32_t column,
                                       float (&sums)[kColumns]) {
  for (std::uint32_t j = 0; j < kColumns; ++j) sums[j] = 0.0F;
  for (std::uint32_t k = 0; k < kInputs; ++k) {
    const float* weights = matrix + k * kOutputs + column;
    for (std::uint32_t j = 0; j < kColumns; ++j) sums[j] = sums[j] + input[k] * weights[j];
  }
}

KVBM_HOST_DEVICE void ProjectQkv::operator()(std::uint32_t item) const {
  constexpr std::uint32_t kGroups = 3 * kWidth / kColumns;
  const std::uint32_t row = item / kGroups;
  const std::uint32_t column = item % kGroups * kColumns;
  float sums[kColumns];
  multiply_columns<kWidth, 3 * kWidth>(input + row * kWidth, weights.qkv(layer), column, sums);
  float* target = queries + row * kWidth + column;
  if (column >= kWidth) {
    if (!batch.is_writable(row)) return;
    const std::uint32_t outer = column / kWidth - 1;
    target = cache.token(batch.page_of(row, batch.positions[row] / cache.tokens_per_block), layer, outer,
                         batch.positions[row] % cache.tokens_per_block) +
             column % kWidth;
  }
  for (std::uint32_t j = 0; j < kColumns; ++j) target[j] = sums[j];
}

KVBM_HOST_DEVICE float dot(const float* a, const float* b) {
  float sums[4] = {};
  for (std::uint32_t i = 0; i < kHeadDim; i += 4) {
    for (std::uint32_t j = 0; j < 4; ++j) sums[j] = sums[j] + a[i + j] * b[i + j];
  }
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

/// A softmax-weighted sum of values, built up position by position with a running maximum.
struct WeightedValues {
  float largest = -3.402823466e38F;
  float denominator = 0.0F;
  float sums[kHeadDim] = {};

  KVBM_HOST_DEVICE void add(float score, const float* value) {
    if (score > largest) {
      const float shrink = exponential(largest - score);
      largest = score;
      denominator = denominator * shrink;
      for (std::uint32_t i = 0; i < kHeadDim; ++i) sums[i] = sums[i] * shrink;
    }
    const float weight = exponential(score - largest);
    denominator = denominator + weight;
    for (std::uint32_t i = 0; i < kHeadDim; ++i) sums[i] = sums[i] + weight * value[i];
  }
};

/// One head of one row over the row's position and all before it, in order.
KVBM_HOST_DEVICE void Attend::operator()(std::uint32_t item) const {
  static_assert(kHeadDim == 16);
  constexpr float kScale = 0.25F;  // 1 / sqrt(kHeadDim)
  const std::uint32_t row = item / kHeads;
  const std::uint32_t head_begin = item % kHeads * kHeadDim;
  const float* query = queries + row * kWidth + head_begin;
  WeightedValues values;
  std::uint32_t left = batch.positions[row] + 1;
  for (std::uint32_t block = 0; left != 0; ++block) {
    const kvbm::BlockId page = batch.page_of(row, block);
    const float* key = cache.token(page, layer, kKeys, 0) + head_begin;
    const float* value = cache.token(page, layer, kValues, 0) + head_begin;
    const std::uint32_t count = left < cache.tokens_per_block ? left : cache.tokens_per_block;
    for (std::uint32_t slot = 0; slot < count; ++slot) {
      values.add(dot(query, key + slot * kWidth) * kScale, value + slot * kWidth);
    }
    left -= count;
  }
  for (std::uint32_t i = 0; i < kHeadDim; ++i) {
    output[row * kWidth + head_begin + i] = values.sums[i] / values.denominator;
  }
}

template <std::uint32_t kInputs, std::uint32_t kOutputs, After kAfter>
KVBM_HOST_DEVICE void Multiply<kInputs, kOutputs, kAfter>::operator()(std::uint32_t item) const {
  constexpr std::uint32_t kGroups = kOutputs / kColumns;
  const std::uint32_t row = item / kGroups;
  const std::uint32_t column = item % kGroups * kColumns;
  float sums[kColumns];
  multiply_columns<kInputs, kOutputs>(input + row * kInputs, matrix, column, sums);
  float* target = output + row * kOutputs + column;
  for (std::uint32_t j = 0; j < kColumns; ++j) {
    if constexpr (kAfter == After::Store) target[j] = sums[j];
    if constexpr (kAfter == After::Rectify) target[j] = sums[j] > 0.0F ? sums[j] : 0.0F;
    if constexpr (kAfter == After::Add) target[j] = target[j] + sums[j];
  }
}

KVBM_HOST_DEVICE void PickLargest::operator()(std::uint32_t item) const {
  const float* row = logits + std::size_t{item} * kVocabulary;
  std::uint32_t largest = 0;
  for (std::uint32_t i = 1; i < kVocabulary; ++i) largest = row[i] > row[largest] ? i : largest;
  tokens[item] = largest;
}

}  // namespace engine
