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
  void settle();
  [[nodiscard]] Onboarded assemble();

  std::shared_ptr<TieringState> state;
  G1Run head;
  std::vector<Place> places;
  std::vector<std::shared_ptr<Load>> loads;  // ours, in order of the prefix
  std::size_t begun = 0;

 private:
  struct Wanted {
    std::vector<std::size_t> places;
    std::vector<ImmutableBlock<G2>> sources;
  };

  [[nodiscard]] Wanted look_around(std::vector<TieredMatch::Place> tail, const std::shared_ptr<Load>& first);
  void share_out(Wanted wanted, BlockManager<G1>::Allocation allocation, const std::shared_ptr<Load>& first);
  [[nodiscard]] bool begin_next(bool wait);
  [[nodiscard]] std::optional<ImmutableBlock<G1>> block_at(Place& place) const;
};

}  // namespace kvbm
