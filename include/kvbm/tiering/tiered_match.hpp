#pragma once

#include <cstdint>
#include <span>
#include <utility>
#include <variant>
#include <vector>

#include "kvbm/blocks/block_run.hpp"

namespace kvbm {

/// The longest prefix of some hashes that is cached, block by block in G1 or else in G2. All of it is held.
///
/// Made by   TieredCache::match.
/// Becomes   a prefix in G1 through TieredCache::onboard; dropped, everything stays where it is.
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the cache.
class [[nodiscard]] TieredMatch {
 public:
  TieredMatch(TieredMatch&&) noexcept = default;  // a moved-from match is of no use
  TieredMatch& operator=(TieredMatch&& other) noexcept {
    TieredMatch taken(std::move(other));
    std::swap(head_, taken.head_);
    std::swap(tail_, taken.tail_);
    std::swap(g2_blocks_, taken.g2_blocks_);
    return *this;
  }
  /// Last block first, so that no prefix grows older than what follows it.
  ~TieredMatch() {
    while (!tail_.empty()) tail_.pop_back();
  }

  /// Blocks of the prefix.
  [[nodiscard]] std::uint32_t size() const noexcept { return head_.size() + static_cast<std::uint32_t>(tail_.size()); }
  [[nodiscard]] std::uint32_t g1_blocks() const noexcept { return size() - g2_blocks_; }
  [[nodiscard]] std::uint32_t g2_blocks() const noexcept { return g2_blocks_; }
  /// How many lie in G1 before the first in G2.
  [[nodiscard]] std::uint32_t leading_g1_blocks() const noexcept { return head_.size(); }
  [[nodiscard]] bool in_g1(std::uint32_t i) const noexcept {
    return i < head_.size() || std::holds_alternative<ImmutableBlock<G1>>(tail_[i - head_.size()]);
  }

 private:
  friend class TieredCache;
  friend class Onboarding;
  using Place = std::variant<ImmutableBlock<G1>, ImmutableBlock<G2>>;

  TieredMatch(BlockRun<ImmutableBlock<G1>> head, std::vector<Place> tail, std::uint32_t g2_blocks) noexcept
      : head_(std::move(head)), tail_(std::move(tail)), g2_blocks_(g2_blocks) {}

  BlockRun<ImmutableBlock<G1>> head_;
  std::vector<Place> tail_;  // behind the head; the first of them is in G2
  std::uint32_t g2_blocks_;
};

}  // namespace kvbm
