#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "kvbm/base/host_device.hpp"

namespace engine {

/// The shape of a decoder-only transformer small enough to run thousands of requests on a CPU: token and position
/// embeddings, then layers of attention and a ReLU MLP, each behind a root-mean-square norm and around a residual.
inline constexpr std::uint32_t kVocabulary = 256;
inline constexpr std::uint32_t kPositions = 512;  ///< most tokens of one sequence
inline constexpr std::uint32_t kLayers = 2;
inline constexpr std::uint32_t kHeads = 2;
inline constexpr std::uint32_t kHeadDim = 16;
inline constexpr std::uint32_t kWidth = kHeads * kHeadDim;
inline constexpr std::uint32_t kMlp = 64;

/// Where each matrix lies in one array of floats. Matrices are [inputs, outputs], embeddings [names, width].
struct Weights {
  static constexpr std::size_t kTokenFloats = std::size_t{kVocabulary} * kWidth;
  static constexpr std::size_t kPositionFloats = std::size_t{kPositions} * kWidth;
  static constexpr std::size_t kQkvFloats = std::size_t{kWidth} * 3 * kWidth;
  static constexpr std::size_t kOutputFloats = std::size_t{kWidth} * kWidth;
  static constexpr std::size_t kUpFloats = std::size_t{kWidth} * kMlp;
  static constexpr std::size_t kDownFloats = std::size_t{kMlp} * kWidth;
  static constexpr std::size_t kLayerFloats = kQkvFloats + kOutputFloats + kUpFloats + kDownFloats;
  static constexpr std::size_t kUnembeddingFloats = std::size_t{kWidth} * kVocabulary;
  static constexpr std::size_t kFloats = kTokenFloats + kPositionFloats + kLayers * kLayerFloats + kUnembeddingFloats;

  const float* all;

  [[nodiscard]] KVBM_HOST_DEVICE const float* tokens() const { return all; }
  [[nodiscard]] KVBM_HOST_DEVICE const float* positions() const { return all + kTokenFloats; }
  [[nodiscard]] KVBM_HOST_DEVICE const float* qkv(std::uint32_t layer) const {
    return positions() + kPositionFloats + layer * kLayerFloats;
  }
  [[nodiscard]] KVBM_HOST_DEVICE const float* output(std::uint32_t layer) const { return qkv(layer) + kQkvFloats; }
  [[nodiscard]] KVBM_HOST_DEVICE const float* up(std::uint32_t layer) const { return output(layer) + kOutputFloats; }
  [[nodiscard]] KVBM_HOST_DEVICE const float* down(std::uint32_t layer) const { return up(layer) + kUpFloats; }
  [[nodiscard]] KVBM_HOST_DEVICE const float* unembedding() const { return qkv(kLayers); }
};

/// Weights::kFloats random numbers, the same on every machine.
[[nodiscard]] std::vector<float> random_weights(std::uint64_t seed);

}  // namespace engine
