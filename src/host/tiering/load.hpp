#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/tiering/tiering_progress.hpp"
#include "src/host/tiering/tiering_state.hpp"

namespace kvbm {

/// Pages on their way from G2 to G1, into blocks some of which still hold the pages of their victims. Those go to
/// staging memory first, and on to G2 when the load has made room there.
///
/// Made by   TieredCache::onboard; begun there, or by the Onboarding when the load before it has given staging memory
///           back.
/// Threads   what it is made of belongs to its maker until begin(), then to whoever settles it, then to its maker.
class Load final : public TieringJob {
 public:
  using G1Run = TieringState::G1Run;
  struct Parts {
    std::vector<SequenceHash> hashes;
    BlockRun<MutableBlock<G1>> targets;
    BlockRun<ImmutableBlock<G2>> sources;
    std::vector<BlockId> victim_blocks;  // among the targets: those whose old pages are to go on to G2
    std::vector<SequenceHash> victim_hashes;
  };

  /// Notes that the load was announced to others, who may wait for it, as the one that brings `hash`.
  void add_claim(const SequenceHash& hash) { claimed_.push_back(hash); }
  [[nodiscard]] std::span<const SequenceHash> claimed() const noexcept { return claimed_; }
  /// Precondition: not begun.
  void set_parts(Parts parts);
  [[nodiscard]] std::size_t victims() const noexcept { return victim_blocks_.size(); }
  [[nodiscard]] std::span<const SequenceHash> hashes() const noexcept { return hashes_; }

  /// Submits the copies. `pages`: a page for each of the last victims, of as many as could be had.
  static void begin(const std::shared_ptr<Load>& load, TieringState& state, StagingPages pages);
  /// It is not to be begun. Victims go on to G2 from where they are, as far as there is room; all else goes home.
  void drop(TieringState& state);
  /// One who waits for it does so no more. When nobody does, what is not enqueued is dropped.
  void leave(TieringState& state);
  [[nodiscard]] bool given_up() const noexcept { return given_up_.load(); }
  /// Where its blocks are.
  [[nodiscard]] BlockProgress progress() const noexcept;
  /// Nothing is to be loaded after all.
  void begin_nothing() noexcept;
  // acquire: sees the copies
  [[nodiscard]] bool begun() const noexcept { return begun_.load(std::memory_order_acquire); }
  /// Blocks until begun(), which is in the hands of another thread.
  void wait_until_begun() const noexcept { begun_.wait(false, std::memory_order_acquire); }

  [[nodiscard]] bool arrived() const noexcept override;
  /// The copy into G1, if there is one. Precondition: begun().
  [[nodiscard]] const std::optional<Completion>& loaded() const noexcept { return loaded_; }

  // ---- for the maker, after settle() ----
  [[nodiscard]] std::optional<G1Run>& registered() noexcept { return registered_; }
  [[nodiscard]] std::optional<TieringFailure>& failure() noexcept { return failure_; }
  /// The maker will not ask: a failure is reported by the cache.
  void abandon(TieringState& state) { report_second(state); }

 private:
  friend class TieringState;
  struct Held {
    BlockRun<MutableBlock<G1>> targets;
    BlockRun<ImmutableBlock<G2>> sources;
  };

  class Beginning;
  class Leaving;

  void stage_victims(TieringState& state);
  void submit(TieringState& state);
  bool cancel_copy();
  void finish(TieringState& state) override;
  void leave_or_enter(TieringState& state, bool cancelled);
  void enter_g1(TieringState& state);
  void pass_victims_on(TieringState& state, PendingMarks& pending);
  void report_second(TieringState& state);

  std::vector<SequenceHash> claimed_;
  std::vector<SequenceHash> hashes_;
  std::shared_ptr<Held> held_;  // shared with the copies; emptied when they are done
  std::vector<BlockId> victim_blocks_;
  std::vector<SequenceHash> victim_hashes_;
  std::shared_ptr<StagingPages> pages_;
  std::optional<Completion> staged_;
  std::optional<Completion> loaded_;
  TieringFailure stage_failure_{};  // what to report, but for the reason
  TieringFailure load_failure_{};
  bool marked_ = false;                // the victims are pending
  std::uint32_t wanted_ = 1;           // by its maker, and by others for a place each; under the lock of the state
  std::atomic<bool> given_up_{false};  // nobody is given it any more
  std::atomic<BlockProgress> progress_{BlockProgress::UnderWay};  // once it is begun
  std::optional<G1Run> registered_;
  std::optional<TieringFailure> failure_;
  std::atomic<bool> begun_{false};
  std::atomic<bool> met_{false};  // set by the first of settling and abandoning; the second reports
};

}  // namespace kvbm
