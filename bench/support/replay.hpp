#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "bench/support/page_pool.hpp"
#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/manager/block_manager.hpp"

namespace kvbm::bench {

/// Which of a request's blocks becomes idle first.
enum class ReleaseOrder : std::uint8_t {
  TailFirst,  ///< the last one: no prefix grows older than what follows it
  HeadFirst,  ///< the first one
};

struct ReplayCounts {
  std::uint64_t requests = 0;
  std::uint64_t input_blocks = 0;    ///< of all requests, whether they fit or not
  std::uint64_t hit_blocks = 0;      ///< found as part of a prefix
  std::uint64_t verified_pages = 0;  ///< used again and read back: hits, and blocks found behind a gap
  std::uint64_t corrupt_pages = 0;   ///< of these, with a wrong byte; a page counts each time it is read
};

/// Serves requests one after another from one tier, as an engine does that computes what it does not find: match the
/// prefix, take up what else is there, allocate and fill all that is missing at once, register it, and let go of all
/// the request's blocks in the given order. Of a request longer than the cache only as many blocks as the cache has
/// take part.
///
/// Threads   one at a time, and nobody else may hold the manager's blocks.
/// Lifetime  refers to the manager and to its pages.
/// Cost      no heap allocation per request, save where blocks are found behind a gap or released head first.
class Replay {
 public:
  /// Precondition: `pages` holds a page for each of the manager's blocks.
  Replay(const BlockManager<G1>& manager, PagePool& pages, ReleaseOrder order) noexcept
      : manager_(manager), pages_(pages), order_(order) {}

  /// `hints`: where the blocks of its prefix are believed to be. They save look-ups and change no count.
  void serve(std::span<const SequenceHash> request, std::span<const BlockHint> hints = {});

  [[nodiscard]] const ReplayCounts& counts() const noexcept { return counts_; }

 private:
  using Run = BlockRun<ImmutableBlock<G1>>;

  [[nodiscard]] Run match(std::span<const SequenceHash> hashes, std::span<const BlockHint> hints);
  [[nodiscard]] Run obtain(std::span<const SequenceHash> hashes);
  [[nodiscard]] Run add(std::span<const SequenceHash> hashes);
  void release(Run run) const;
  void verify(BlockId id, const SequenceHash& hash) noexcept;

  const BlockManager<G1>& manager_;
  PagePool& pages_;
  const ReleaseOrder order_;
  ReplayCounts counts_;
};

}  // namespace kvbm::bench
