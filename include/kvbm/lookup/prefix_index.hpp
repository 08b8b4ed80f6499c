#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "kvbm/base/block_hint.hpp"
#include "kvbm/lookup/token_requests.hpp"
#include "kvbm/manager/block_manager.hpp"

namespace kvbm {

class TableMirror;

struct PrefixIndexOptions {
  /// Room for so many hashes before the table grows; 0: as many as the tiers have blocks.
  std::uint64_t hashes = 0;
  /// Keeps whole hashes in slots of 32 bytes instead of fingerprints in 16.
  bool exact = false;
  /// How much of a fingerprint is used, from the top. Fewer than 64 are for tests of what happens if blocks share one.
  unsigned fingerprint_bits = 64;
  /// Watches for blocks whose parents are gone, so that count() may search while there are none. For 32 bytes a block,
  /// 21 to 43 a hash, and two cache lines a change.
  bool counts = false;
};

/// Answers of one look-up. Its memory is used again by the next.
struct PrefixAnswers {
  std::vector<std::uint32_t> prefixes;  ///< [requests]: how many blocks from the start are registered somewhere
  std::vector<BlockHint> hints;         ///< [blocks]: tier and place of each block inside its request's prefix
  /// [requests + 1], of look-ups from tokens: where each request's hints begin. Others leave it alone.
  std::vector<std::uint32_t> offsets;
  /// If both are equal, all answers are of the index as one update() left it; else an update ran meanwhile.
  std::uint64_t epoch_before = 0, epoch_after = 0;
};

/// Says for many requests at once how long a prefix of each is cached, in which tier, and in which block; from a table
/// that follows the change logs of the tiers' managers. Its answers are hints: it may be behind, and only acquire(),
/// which compares slot, generation and full hash, makes guards of them.
///
/// Made by   its constructor; then add_tier() for each tier, the fastest first; then update() whenever answers shall be
///           up to date. Nothing of it runs in managers' calls.
/// Threads   look_up, fingerprint, acquire: any. add_tier, update: one at a time, beside those.
/// Lifetime  refers to the managers until they are gone, or tell so by Cleared; update() must not run beside a
///           manager's end or move.
/// Cost      update: tens of nanoseconds a change. A manager whose log overran is read anew, a few thousand blocks at a
///           time under its lock.
class PrefixIndex {
 public:
  /// Errors  std::bad_alloc; std::invalid_argument if fingerprint_bits is not from 8 to 64.
  explicit PrefixIndex(PrefixIndexOptions options = {});
  PrefixIndex(PrefixIndex&&) noexcept;
  PrefixIndex& operator=(PrefixIndex&&) noexcept;
  ~PrefixIndex();

  /// Follows `manager` from now on, as the tier below those added before. What it holds already is taken up by the next
  /// update().
  /// Errors  std::invalid_argument if the manager has no change log, or there are BlockHint::kTiers tiers already.
  template <class Tier>
  void add_tier(const BlockManager<Tier>& manager) {
    add_source({manager.id(), manager.total_blocks(), manager.change_log(),
                [&manager] { return manager.registered_blocks(); }});
  }

  struct Update {
    std::uint64_t changes = 0;  ///< taken from the logs
    std::uint32_t resyncs = 0;  ///< managers that were read anew
    std::uint64_t hashes = 0;   ///< in the index now
    std::uint64_t epoch = 0;    ///< of the table now
  };
  /// Takes up what changed since the last call, as one batch. Errors  std::bad_alloc; the next call makes up for it.
  Update update();

  /// `offsets` has one number more than there are requests, from 0 up to the number of hashes; request r is
  /// hashes[offsets[r], offsets[r + 1]). Errors  std::bad_alloc, for answers that need more memory than they have.
  void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
               PrefixAnswers& answers) const;
  /// The same from fingerprints. Precondition: the index is not exact.
  void look_up(std::span<const std::uint32_t> offsets, std::span<const std::uint64_t> fingerprints,
               PrefixAnswers& answers) const;
  /// The same from tokens. Errors  also std::invalid_argument for blocks of no tokens, or positions beyond a hash's.
  void look_up(const TokenRequests& requests, PrefixAnswers& answers) const;
  /// Only how long the prefixes are; the answers have no hints. With PrefixIndexOptions::counts, and while every block
  /// that is cached has its parent cached in some tier, a few blocks of each request are looked at; else all up to the
  /// first that is missing.
  void count(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
             PrefixAnswers& answers) const;
  /// Whether count() searches, as of the last update().
  [[nodiscard]] bool counts_by_search() const noexcept;
  /// What an index that is not exact knows a hash by.
  [[nodiscard]] std::uint64_t fingerprint(const SequenceHash& hash) const noexcept;

  /// Guards of the blocks at the start of `hashes` that are in this manager, where `hints` says. The run ends at the
  /// first block that is in another tier, or not there any more: whoever wants more goes on with match_blocks().
  /// Precondition: as many hints as hashes, from an answer of this index; the manager was added.
  template <class Tier>
  [[nodiscard]] BlockRun<ImmutableBlock<Tier>> acquire(const BlockManager<Tier>& manager,
                                                       std::span<const SequenceHash> hashes,
                                                       std::span<const BlockHint> hints) const {
    const std::size_t count = leading(hints, tier_of(manager.id()));
    return manager.match_hinted(hashes.first(count), hints.first(count));
  }

  /// The number by which hints name a manager's tier. Precondition: it was added.
  [[nodiscard]] unsigned tier_of(ManagerId manager) const noexcept;
  /// Aborts if the table does not add up. For tests, with no update under way.
  void check_invariants() const;

 private:
  friend class DevicePrefixIndex;
  class Impl;
  template <class Slot>
  class Table;
  struct Source {
    ManagerId manager;
    std::uint32_t blocks;
    std::shared_ptr<const ChangeLog> log;
    std::function<RegisteredBlocks()> registered;
  };

  [[nodiscard]] static std::size_t leading(std::span<const BlockHint> hints, unsigned tier) noexcept;
  void add_source(Source source);
  /// update(), and brings a copy of the table up to date. Errors  what the copy throws, with the index itself updated.
  Update update(TableMirror* mirror);

  std::unique_ptr<Impl> impl_;
};

}  // namespace kvbm
