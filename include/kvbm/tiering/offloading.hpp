#pragma once

#include <memory>
#include <utility>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/tiering/tiering_progress.hpp"

namespace kvbm {

class OffloadWork;
class TieringState;

/// Blocks that somebody asked to be offloaded, from the queue to G2. Copies name the same blocks. Dropped, they go on.
///
/// Made by   TieredCache::offload.
/// Threads   any.
/// Lifetime  may outlive the cache; what has not arrived at its end counts as failed.
class Offloading {
 public:
  /// A block that needs no more, and how it ended.
  struct Finished {
    SequenceHash hash;
    BlockProgress progress;
  };

  [[nodiscard]] TieringProgress progress() const;
  /// Those that are there now, in the order in which they were asked for.
  [[nodiscard]] std::vector<SequenceHash> blocks(BlockProgress where) const;
  /// Those that have finished since somebody asked last, in the order in which they did; each once.
  [[nodiscard]] std::vector<Finished> take_finished() const;

  /// Goes on as far as possible without waiting, and says whether all have finished.
  [[nodiscard]] bool advance() const;
  /// Waits until all have finished.
  void wait() const;
  /// Gives up what is queued, at once. Copies under way are not aborted; what they bring is registered. A batch that
  /// others have a part in goes on for them. Asked again, nothing happens.
  void cancel() const;

 private:
  friend class TieredCache;
  Offloading(std::weak_ptr<TieringState> state, std::shared_ptr<OffloadWork> work) noexcept
      : state_(std::move(state)), work_(std::move(work)) {}

  std::weak_ptr<TieringState> state_;
  std::shared_ptr<OffloadWork> work_;
};

}  // namespace kvbm
