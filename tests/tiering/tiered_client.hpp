#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <random>
#include <span>
#include <vector>

#include "tests/tiering/tiered_world.hpp"

namespace kvbm::test {

/// What a client holds in the middle of a request.
struct InHand {
  std::optional<TieredMatch> match{};
  std::optional<BlockRun<ImmutableBlock<G1>>> orphans{};  // in G1, behind the match
  std::optional<Onboarding> onboarding{};
  std::optional<Onboarded> onboarded{};
  std::optional<SparseRun<G1>> present{};
  std::optional<TieredAllocation> allocation{};
  std::optional<BlockRun<MutableBlock<G1>>> blocks{};
  std::optional<BlockRun<CompleteBlock<G1>>> complete{};
  std::optional<BlockRun<ImmutableBlock<G1>>> added{};
  std::optional<Offloading> offloading{};
};

/// Serves requests one after another by the rules of eviction.md 6, and can stop between any two steps of one.
class TieredClient {
 public:
  /// Asked before each step; true ends the request where it is.
  using Stop = std::function<bool()>;

  /// With `cancel_each`, every so-many-th request gives up its onboarding once that has begun, and its offloading.
  TieredClient(TieredWorld& world, TierMode mode, std::uint64_t cancel_each = 0)
      : world_(world), mode_(mode), cancel_each_(cancel_each) {}

  /// Returns whether the request was served to its end. What is in hand then is dropped by the caller.
  bool serve(std::span<const SequenceHash> request, InHand& hand, const Stop& stop);
  bool serve(std::span<const SequenceHash> request) {
    InHand hand;
    return serve(request, hand, [] { return false; });
  }

  [[nodiscard]] std::uint64_t g1_hits() const noexcept { return g1_hits_; }
  [[nodiscard]] std::uint64_t g2_hits() const noexcept { return g2_hits_; }
  /// Failures that onboardings told of.
  [[nodiscard]] std::uint64_t failures() const noexcept { return failures_; }
  /// Pages handed to a request with a wrong byte.
  [[nodiscard]] std::uint64_t corrupt() const noexcept { return corrupt_; }

 private:
  bool add(std::span<const SequenceHash> rest, InHand& hand, const Stop& stop);
  void check(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes);

  TieredWorld& world_;
  const TierMode mode_;
  const std::uint64_t cancel_each_;
  std::uint64_t served_ = 0;
  std::uint64_t g1_hits_ = 0;
  std::uint64_t g2_hits_ = 0;
  std::uint64_t failures_ = 0;
  std::uint64_t corrupt_ = 0;
};

/// Requests over a forest of prompts: each is a path from a root, some of them many times.
struct Prompts {
  std::vector<std::vector<std::uint64_t>> ids;      // by number
  std::vector<std::vector<SequenceHash>> requests;  // the same as hashes
  std::vector<SequenceHash> universe;
};
[[nodiscard]] Prompts random_prompts(std::uint64_t seed, std::size_t requests, std::size_t longest);

}  // namespace kvbm::test
