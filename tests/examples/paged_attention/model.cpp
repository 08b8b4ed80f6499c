#include "model.hpp"

#include <algorithm>
#include <cmath>

#include "random.hpp"

namespace engine {
namespace {

void fill(float* weights, std::size_t count, float limit, Random& random) {
  std::generate_n(weights, count, [&] { return (2 * random.unit() - 1) * limit; });
}

/// Outputs are about as large as inputs, with a little more for attention to have something to choose between.
float limit_for(std::uint32_t inputs) { return 2.0F / std::sqrt(static_cast<float>(inputs)); }

}  // namespace

std::vector<float> random_weights(std::uint64_t seed) {
  std::vector<float> weights(Weights::kFloats);
  Random random(seed);
  fill(weights.data(), Weights::kTokenFloats + Weights::kPositionFloats, 1.0F, random);
  for (std::uint32_t layer = 0; layer < kLayers; ++layer) {
    float* first = weights.data() + (Weights{weights.data()}.qkv(layer) - weights.data());
    const std::size_t with_width = Weights::kLayerFloats - Weights::kDownFloats;
    fill(first, with_width, limit_for(kWidth), random);
    fill(first + with_width, Weights::kDownFloats, limit_for(kMlp), random);
  }
  fill(weights.data() + weights.size() - Weights::kUnembeddingFloats, Weights::kUnembeddingFloats, limit_for(kWidth),
       random);
  return weights;
}

}  // namespace engine
