#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <vector>

#include "kvbm/tiering/onboarding.hpp"
#include "kvbm/tiering/tiered_match.hpp"
#include "src/host/tiering/load.hpp"

namespace kvbm {

/// What an Onboarding has in hand: for each block of the prefix behind the head, the block itself or the load that
/// brings it.
struct Onboarding::Plan {
  using G1Run = TieringState::G1Run;
  struct Place {
    SequenceHash hash;
    std::optional<ImmutableBlock<G1>> here{};
    std::shared_ptr<Load> load{};  // if not here
    bool ours = false;             // one of our loads brings it, as its block `index`; else somebody else's
    std::uint32_t index = 0;
  };

  explicit Plan(std::shared_ptr<TieringState> shared, G1Run first) : state(std::move(shared)), head(std::move(first)) {}
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;
  ~Plan();

  /// Finds who brings what, takes blocks of G1, and begins the first load.
  void make(std::vector<TieredMatch::Place> tail);
  /// Begins the loads behind the first, one when the one before it has been settled. With `wait`, all of them; else
  /// returns whether all are begun.
  bool begin_rest(bool wait);
  /// Whether settle() would not wait. Precondition: all are begun.
  [[nodiscard]] bool arrived() const noexcept;
  void settle();
  [[nodiscard]] Onboarded assemble();
  /// Nothing but its progress is asked for from now on.
  void let_go() KVBM_EXCLUDES(mutex);

  // ---- any thread ----
  void cancel() KVBM_EXCLUDES(mutex);
  [[nodiscard]] TieringProgress progress() const KVBM_EXCLUDES(mutex);

  std::shared_ptr<TieringState> state;  // null when it is finished
  G1Run head;
  std::vector<Place> places;
  std::optional<TieringFailure> refused;  // why the match goes on behind the places, if it is not for lack of room

  // Once it is made, what cancel() and progress() share with the owner.
  mutable Mutex mutex;
  TieringProgress known KVBM_GUARDED_BY(mutex);                      // what needs no load, and what others' came to
  std::vector<std::shared_ptr<Load>> others KVBM_GUARDED_BY(mutex);  // once for each block
  std::vector<std::shared_ptr<Load>> loads KVBM_GUARDED_BY(mutex);   // ours, in order of the prefix
  std::size_t begun KVBM_GUARDED_BY(mutex) = 0;                      // of them; cancel() takes the rest out

 private:
  struct Wanted {
    std::vector<std::size_t> places;
    std::vector<ImmutableBlock<G2>> sources;
  };

  void end_before_unreadable(std::vector<TieredMatch::Place>& tail);
  [[nodiscard]] Wanted look_around(std::vector<TieredMatch::Place> tail, const std::shared_ptr<Load>& first);
  void end_before(std::size_t end, const Load& first);
  [[nodiscard]] std::vector<std::shared_ptr<Load>> share_out(Wanted wanted, BlockManager<G1>::Allocation allocation,
                                                             const std::shared_ptr<Load>& first);
  [[nodiscard]] std::shared_ptr<Load> next() const KVBM_EXCLUDES(mutex);
  [[nodiscard]] std::shared_ptr<Load> before_next() const KVBM_EXCLUDES(mutex);
  /// `load` is about to be begun, unless it was taken out.
  [[nodiscard]] bool take(const std::shared_ptr<Load>& load) KVBM_EXCLUDES(mutex);
  [[nodiscard]] bool begin_next(bool wait);
  [[nodiscard]] TieringProgress progress_of_others() const KVBM_REQUIRES(mutex);
  /// Whether what brings the block is still of interest.
  [[nodiscard]] bool is_awaited(const Place& place) const KVBM_EXCLUDES(mutex);
  [[nodiscard]] std::optional<ImmutableBlock<G1>> block_at(Place& place) const;
};

}  // namespace kvbm
