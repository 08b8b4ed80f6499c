#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/manager/block_manager.hpp"
#include "kvbm/tiering/offloading.hpp"
#include "kvbm/tiering/onboarding.hpp"
#include "kvbm/tiering/page_record.hpp"
#include "kvbm/tiering/settlement_token.hpp"
#include "kvbm/tiering/tiered_allocation.hpp"
#include "kvbm/tiering/tiered_match.hpp"
#include "kvbm/tiering/tiering_options.hpp"
#include "kvbm/tiering/tiering_report.hpp"

namespace kvbm {

class TieringState;

/// Two tiers as one cache: a prefix is matched over both and made resident in G1, and what G1 evicts goes on living in
/// G2. Pages move by the transfer engine; every page under way is held by a guard, and no block can be found in a tier
/// before its bytes are there. How often a block was used is known to both tiers through the registry they share; in G2
/// it takes the youngest place when it arrives.
///
/// The cache has no thread of its own: it registers what has arrived in whatever call comes next. advance() is for the
/// times when none does, settle() for those who want all of it done.
///
/// Threads   any, all methods.
/// Lifetime  what it returns may outlive it. Copies under way at its end run on; their pages go home unregistered.
/// Errors    std::bad_alloc; failed copies are in Onboarded and take_failures(), each in one of them, once.
class TieredCache {
 public:
  /// Both managers use one registry. Errors  InvalidTiering naming the first thing wrong; DeviceError.
  [[nodiscard]] static Result<TieredCache, InvalidTiering> create(BlockManager<G1> g1, BlockManager<G2> g2,
                                                                  TieringOptions options);
  TieredCache(TieredCache&&) noexcept;
  TieredCache& operator=(TieredCache&&) noexcept;
  ~TieredCache();

  /// The longest prefix of `hashes` of which each block is in G1 or in G2.
  [[nodiscard]] TieredMatch match(std::span<const SequenceHash> hashes) const;

  /// Starts to load what the match has in G2. A block that somebody else is loading already is not loaded twice. If G1
  /// has no room for all, for as much of the prefix as it has.
  [[nodiscard]] Onboarding onboard(TieredMatch match) const;

  /// All of `count` blocks, or none. Victims' pages are on their way to G2 as the policy wants, for as many as G2 has
  /// room; beyond TieringOptions::offload_blocks_max it waits for the ones before the last.
  [[nodiscard]] std::optional<TieredAllocation> allocate(std::uint32_t count) const;
  /// The same for blocks that are to have these hashes. In exclusive mode those that G2 has, behind a gap, leave it.
  [[nodiscard]] std::optional<TieredAllocation> allocate(std::span<const SequenceHash> hashes) const;

  /// BlockManager::register_blocks of G1. With WriteBehind they are also queued to be offloaded.
  [[nodiscard]] BlockRun<ImmutableBlock<G1>> register_blocks(BlockRun<CompleteBlock<G1>> blocks) const;

  /// Queues blocks to be offloaded, the last one first; by then they must be in G1, and not in G2 or on their way
  /// there, or are skipped. What was enqueued before `after`, if there is one, comes before their copies: the forward
  /// pass that fills the pages. If that cannot be waited for, these blocks fail, and no others. Without a `deadline` a
  /// stream of the engine waits for `after`, and all that is offloaded behind it; with one, the blocks stay queued
  /// until it has come, which advance(), settle() and their kin look for, and can be failed alone. Precondition:
  /// inclusive mode.
  Offloading offload(std::span<const SequenceHash> hashes, std::shared_ptr<const Event> after = nullptr,
                     std::optional<std::chrono::steady_clock::time_point> deadline = {}) const;
  /// Fails blocks whose deadline is `now` or before and whose event has not come; all else goes on. Returns how many.
  /// One failure for each offload() is in take_failures().
  std::uint32_t fail_overdue(std::chrono::steady_clock::time_point now) const;

  /// Registers what has arrived, and begins to offload what is queued. Never waits for a copy.
  void advance() const;
  /// Waits until nothing is under way or queued.
  void settle() const;

  /// Stands for all that has been submitted so far: loads that onboardings have begun, pages of victims, blocks queued
  /// to be offloaded; and for what they lead to. Loads that an Onboarding has not begun are its own affair.
  [[nodiscard]] SettlementToken token() const;
  /// The token with that number, for those who kept no more of it.
  [[nodiscard]] SettlementToken token_at(std::uint64_t number) const;
  /// Goes on as far as possible without waiting, and says whether all that the token stands for has settled: arrived,
  /// failed, skipped or cancelled. Errors  SettlementError.
  [[nodiscard]] Result<bool, SettlementError> settled(const SettlementToken& token) const;
  /// Waits until it has. What comes later is waited for only as far as it comes first. Errors  SettlementError.
  Result<void, SettlementError> settle(const SettlementToken& token) const;

  /// How the page of a block of G2 is stored. Precondition: the block is of this cache's G2.
  [[nodiscard]] PageRecord page_record(const ImmutableBlock<G2>& block) const;
  /// For whoever fills pages of G2 without the cache, before they are registered; else the page counts as stored like
  /// the one before it. A load of a page that is not Raw and whole is refused: the prefix ends before it, and the bytes
  /// stay in G2. Precondition: as above.
  void describe_page(const MutableBlock<G2>& block, const PageRecord& record) const;

  [[nodiscard]] TieringCounts counts() const;
  /// Failures that no Onboarded told of, oldest first, at most kFailuresKept.
  [[nodiscard]] std::vector<TieringFailure> take_failures() const;
  static constexpr std::size_t kFailuresKept = 1024;

  [[nodiscard]] const BlockManager<G1>& g1() const noexcept;
  [[nodiscard]] const BlockManager<G2>& g2() const noexcept;
  [[nodiscard]] std::uint32_t staging_blocks() const noexcept;

 private:
  explicit TieredCache(std::shared_ptr<TieringState> state) noexcept;
  [[nodiscard]] std::optional<SettlementError> wrong_with(const SettlementToken& token) const;

  std::shared_ptr<TieringState> state_;  // null: moved from
};

}  // namespace kvbm
