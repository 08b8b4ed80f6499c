#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/device/stream.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/transfer/transfer_engine.hpp"

namespace kvbm {

/// Whether a block may be in both tiers.
enum class TierMode : std::uint8_t {
  Exclusive,  ///< it lives in one: victims of G1 move down, hits in G2 move up
  Inclusive,  ///< hits in G2 are copied up and stay
};

/// When pages go from G1 to G2.
enum class OffloadPolicy : std::uint8_t {
  OnEviction,   ///< when their block is evicted from G1, unless G2 has it
  WriteBehind,  ///< after registration, in advance() and settle(); victims of G1 vanish. Inclusive only
  WhenAsked,    ///< those that offload() names, as WriteBehind. Inclusive only
};

/// Pages that have arrived in a tier and are about to be registered there.
struct PagesArrived {
  enum class Tier : std::uint8_t { G1, G2 };
  Tier tier;
  std::span<const BlockId> blocks;
  std::span<const SequenceHash> hashes;
};

/// How two tiers work together. The layouts and the engine must be given.
struct TieringOptions {
  std::shared_ptr<const BlockLayout> g1_layout{};  ///< at least as many blocks as the manager of the tier
  std::shared_ptr<const BlockLayout> g2_layout{};
  std::shared_ptr<TransferEngine> engine{};
  TierMode mode = TierMode::Exclusive;
  OffloadPolicy offload = OffloadPolicy::OnEviction;
  /// Pages of one transfer to G2. Victims beyond it follow when those before them have arrived. With 1 they enter G2's
  /// order one after another, as if each copy took no time.
  std::uint32_t offload_blocks_max = 1024;
  /// Hashes that wait for write-behind; beyond, the oldest are forgotten.
  std::uint32_t queue_max = 1u << 16;
  /// Device memory for pages on their way between two full tiers: as many pages as fit, at least one, never more than
  /// G1 has.
  std::size_t staging_bytes_max = 32u << 20;
  /// Whatever was enqueued here when a copy is submitted comes before it: the writers and readers of G1's pages.
  std::vector<StreamView> after_streams{};
  /// How all pages are moved; else the engine chooses.
  std::optional<Mechanism> mechanism{};
  /// Loads can be waited for layer by layer.
  bool layer_events = false;
  /// Called once for each batch of pages whose copy is complete, before their blocks can be found; with no lock held.
  std::function<void(const PagesArrived&)> on_arrival{};
};

/// Why two tiers do not go together.
struct InvalidTiering {
  enum class Code : std::uint8_t {
    EngineMissing,
    LayoutMissing,
    LayoutTooSmall,
    WrongMemory,
    ShapeMismatch,
    TokensPerBlockDiffer,
    RegistriesDiffer,
    PolicyNeedsInclusive,
    LimitZero,
    StagingRefused,
  };
  Code code;
  std::string text;
};

}  // namespace kvbm
