#include "src/host/tiering/check_tiering.hpp"

#include <string>

namespace kvbm {
namespace {

using Code = InvalidTiering::Code;

std::optional<InvalidTiering> check_layout(const char* tier, const std::shared_ptr<const BlockLayout>& layout,
                                           std::uint32_t blocks, MemoryKind kind) {
  if (layout == nullptr)
    return InvalidTiering{Code::LayoutMissing, std::string("the layout of ") + tier + " is missing"};
  if (layout->config().blocks < blocks) {
    return InvalidTiering{Code::LayoutTooSmall, std::string("the layout of ") + tier + " has " +
                                                    std::to_string(layout->config().blocks) + " blocks, its manager " +
                                                    std::to_string(blocks)};
  }
  if (layout->memory_kind() != kind) {
    return InvalidTiering{Code::WrongMemory, std::string("the layout of ") + tier + " is not in " +
                                                 (kind == MemoryKind::Device ? "device" : "pinned") + " memory"};
  }
  return std::nullopt;
}

bool same_shape(const LayoutConfig& a, const LayoutConfig& b) {
  return a.layers == b.layers && a.outer == b.outer && a.tokens == b.tokens && a.inner == b.inner &&
         a.element_bytes == b.element_bytes;
}

std::optional<InvalidTiering> check_limits(const TieringOptions& options) {
  if (options.offload_blocks_max == 0) return InvalidTiering{Code::LimitZero, "offload_blocks_max is 0"};
  if (options.queue_max == 0) return InvalidTiering{Code::LimitZero, "queue_max is 0"};
  if (options.mode == TierMode::Exclusive && options.offload != OffloadPolicy::OnEviction) {
    return InvalidTiering{Code::PolicyNeedsInclusive, "a block in one tier only is offloaded when it is evicted"};
  }
  return std::nullopt;
}

}  // namespace

std::optional<InvalidTiering> check_tiering(const BlockManager<G1>& g1, const BlockManager<G2>& g2,
                                            const TieringOptions& options) {
  if (options.engine == nullptr) return InvalidTiering{Code::EngineMissing, "the transfer engine is missing"};
  if (auto invalid = check_layout("G1", options.g1_layout, g1.total_blocks(), MemoryKind::Device)) return invalid;
  if (auto invalid = check_layout("G2", options.g2_layout, g2.total_blocks(), MemoryKind::Pinned)) return invalid;
  if (!same_shape(options.g1_layout->config(), options.g2_layout->config())) {
    return InvalidTiering{Code::ShapeMismatch, "pages of G1 and of G2 differ in layers, outer, tokens, inner or width"};
  }
  if (g1.tokens_per_block() != g2.tokens_per_block()) {
    return InvalidTiering{Code::TokensPerBlockDiffer, "blocks of G1 have " + std::to_string(g1.tokens_per_block()) +
                                                          " tokens, those of G2 " +
                                                          std::to_string(g2.tokens_per_block())};
  }
  if (g1.registry() != g2.registry()) {
    return InvalidTiering{Code::RegistriesDiffer, "the managers of both tiers use one registry"};
  }
  return check_limits(options);
}

}  // namespace kvbm
