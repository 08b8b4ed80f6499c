#pragma once

#include <chrono>
#include <cstdint>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/transfer/pending_transfer.hpp"
#include "kvbm/transfer/transfer_engine.hpp"

namespace kvbm {

/// Which transfers of an engine are worth a warning: those that are pending for as long as `threshold`, and again every
/// `interval`. It has neither clock nor thread: somebody checks now and then, and tells the user.
///
/// Threads  any. Several watches of one engine do not know of each other.
/// Cost     check() looks at the engine's transfers_max places, without a lock that submitting takes.
class SlowTransferWatch {
 public:
  using Time = TransferOutcome::Time;
  struct Options {
    std::chrono::nanoseconds threshold = std::chrono::seconds(60);
    std::chrono::nanoseconds interval = std::chrono::seconds(30);
  };

  SlowTransferWatch() : SlowTransferWatch(Options{}) {}
  explicit SlowTransferWatch(Options options) noexcept : options_(options) {}

  /// Those that are due to be told of at `now`, the oldest first. Always of the same engine. Errors  std::bad_alloc,
  /// with nothing counted as told.
  [[nodiscard]] std::vector<PendingTransfer> check(const TransferEngine& engine, Time now) KVBM_EXCLUDES(mutex_);

 private:
  struct Told {
    std::uint64_t number;
    Time last;
  };

  const Options options_;
  Mutex mutex_;
  std::vector<Told> told_ KVBM_GUARDED_BY(mutex_);  // by number; only of transfers that are pending
};

}  // namespace kvbm
