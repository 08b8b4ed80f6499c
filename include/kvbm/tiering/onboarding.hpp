#pragma once

#include <cstdint>
#include <memory>
#include <optional>

#include "kvbm/blocks/block_run.hpp"
#include "kvbm/device/stream.hpp"
#include "kvbm/tiering/tiering_progress.hpp"
#include "kvbm/tiering/tiering_report.hpp"

namespace kvbm {

/// How an onboarding ended.
struct Onboarded {
  BlockRun<ImmutableBlock<G1>> prefix;      ///< all that is valid up to the first block that is not
  std::optional<TieringFailure> failure{};  ///< why it is shorter than the match, if a copy failed
  bool cancelled = false;                   ///< it may be shorter since somebody gave it up
};

/// A prefix on its way into G1. Its blocks are registered there when their bytes have arrived, never before.
///
/// Made by   TieredCache::onboard.
/// Becomes   the prefix through finish(); dropped, loads under way go on and are registered by the cache, those not
///           begun are not.
/// Threads   one at a time; may be handed from thread to thread; cancel() and progress() from any while it stands.
/// Lifetime  may outlive the cache.
class [[nodiscard]] Onboarding {
 public:
  Onboarding(Onboarding&&) noexcept;
  Onboarding& operator=(Onboarding&&) noexcept;
  ~Onboarding();

  /// Blocks of the prefix if all goes well: those of the match, or fewer if G1 had no room.
  [[nodiscard]] std::uint32_t size() const noexcept;
  /// Blocks that were valid from the start, before the first that is loaded.
  [[nodiscard]] std::uint32_t valid_now() const noexcept;
  /// Goes on as far as possible without waiting, and says whether finish() would not wait.
  [[nodiscard]] bool advance();
  /// What is enqueued on `stream` from now on waits for the loads. The host waits only for batches before the last.
  /// A failed load lets the stream go on: finish() says what is valid. Errors  DeviceError.
  void wait_on(StreamView stream);
  /// The same for one layer. Precondition: TieringOptions::layer_events.
  void wait_for_layer(std::uint32_t layer, StreamView stream);
  /// Gives it up: loads that are not begun are dropped at once, and so is what waits in the engine. Copies under way
  /// are not aborted but waited for, by advance() and finish(), and what they bring is registered. A load that somebody
  /// else waits for too goes on. Asked again, nothing happens.
  void cancel();
  /// Where its blocks are. Of blocks that others load it is their loads' progress.
  [[nodiscard]] TieringProgress progress() const;
  /// Waits until all is done; after cancel(), until nothing of it is under way. It is of no use then, but for
  /// progress().
  [[nodiscard]] Onboarded finish() &&;

 private:
  friend class TieredCache;
  struct Plan;
  explicit Onboarding(std::unique_ptr<Plan> plan) noexcept;

  std::unique_ptr<Plan> plan_;  // null: moved from
};

}  // namespace kvbm
