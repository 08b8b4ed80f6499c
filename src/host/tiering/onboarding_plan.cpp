#include "src/host/tiering/onboarding_plan.hpp"

#include <algorithm>
#include <utility>

namespace kvbm {
namespace {

/// As many blocks as there are, up to `most`.
std::optional<BlockManager<G1>::Allocation> allocate_most(const BlockManager<G1>& g1, std::uint32_t most) {
  for (std::uint32_t count = most; count != 0; count = std::min(count - 1, g1.available_blocks())) {
    if (auto allocation = g1.allocate_with_evictions(count)) return allocation;
  }
  return std::nullopt;
}

/// What is claimed for a load until that has begun; nothing may wait for a load that never will.
class Claims {
 public:
  Claims(TieringState& state, const std::shared_ptr<Load>& load) : state_(state), load_(load) {}
  Claims(const Claims&) = delete;
  Claims& operator=(const Claims&) = delete;
  ~Claims() {
    if (load_->begun()) return;
    state_.unclaim(load_->claimed(), *load_);
    load_->begin_nothing();
  }

 private:
  TieringState& state_;
  const std::shared_ptr<Load>& load_;
};

}  // namespace

/// Loads that are under way go on; the cache registers what they bring. Blocks go last one first.
Onboarding::Plan::~Plan() {
  for (std::size_t i = 0; i < loads.size(); ++i) {
    if (i < begun) {
      loads[i]->abandon(*state);
    } else {
      state->count({.lost_blocks = loads[i]->victims()});
    }
  }
  while (!places.empty()) places.pop_back();
  while (!loads.empty()) loads.pop_back();
}

void Onboarding::Plan::make(std::vector<TieredMatch::Place> tail) {
  const auto first = std::make_shared<Load>();
  const Claims claims(*state, first);
  Wanted wanted = look_around(std::move(tail), first);
  const auto most = static_cast<std::uint32_t>(wanted.places.size());
  std::optional<BlockManager<G1>::Allocation> allocation = allocate_most(state->g1(), most);
  const std::uint32_t count = allocation ? allocation->blocks.size() : 0;
  if (count < most) {  // no room in G1: the prefix ends earlier
    places.erase(places.begin() + static_cast<std::ptrdiff_t>(wanted.places[count]), places.end());
    wanted.sources.erase(wanted.sources.begin() + count, wanted.sources.end());
    wanted.places.resize(count);
  }
  if (count == 0) return;
  share_out(std::move(wanted), std::move(*allocation), first);
  static_cast<void>(begin_next(true));
}

/// Sorts the places: what is in G1, what others are loading, and what is left for us.
Onboarding::Plan::Wanted Onboarding::Plan::look_around(std::vector<TieredMatch::Place> tail,
                                                       const std::shared_ptr<Load>& first) {
  Wanted wanted;
  places.reserve(tail.size());
  for (TieredMatch::Place& found : tail) {
    if (auto* here = std::get_if<ImmutableBlock<G1>>(&found)) {
      places.push_back({here->hash(), std::move(*here)});
      continue;
    }
    auto& source = std::get<ImmutableBlock<G2>>(found);
    const SequenceHash hash = source.hash();
    first->add_claim(hash);
    std::shared_ptr<Load> load = state->claim(hash, first);
    if (load != first) {
      places.push_back({hash, std::nullopt, std::move(load)});
      continue;
    }
    // Whoever loaded it before us has registered it before he gave up his claim.
    std::vector<ImmutableBlock<G1>> loaded = state->g1().scan_matches({&hash, 1}, false).into_blocks();
    if (!loaded.empty()) {
      state->unclaim({&hash, 1}, *first);
      places.push_back({hash, std::move(loaded.front())});
      continue;
    }
    wanted.places.push_back(places.size());
    wanted.sources.push_back(std::move(source));
    places.push_back({hash});
  }
  return wanted;
}

/// Makes loads of at most as many victims as there are staging pages.
void Onboarding::Plan::share_out(Wanted wanted, BlockManager<G1>::Allocation allocation,
                                 const std::shared_ptr<Load>& first) {
  const std::vector<std::uint32_t> keep = state->worth_keeping(allocation.evicted);
  const std::size_t count = wanted.places.size();
  const std::size_t unused = count - allocation.evicted.size();  // blocks without victims come first
  auto next_victim = keep.begin();
  BlockRun<MutableBlock<G1>> targets = std::move(allocation.blocks);
  for (std::size_t begin = 0; begin < count;) {
    const std::shared_ptr<Load>& load = loads.emplace_back(begin == 0 ? first : std::make_shared<Load>());
    std::vector<SequenceHash> hashes, victim_hashes;
    std::vector<BlockId> victim_blocks;
    std::vector<ImmutableBlock<G2>> sources;
    std::size_t i = begin;
    for (; i < count; ++i) {
      if (next_victim != keep.end() && i == unused + *next_victim) {
        if (victim_blocks.size() == state->staging_blocks()) break;
        victim_blocks.push_back(targets.id(static_cast<std::uint32_t>(i - begin)));
        victim_hashes.push_back(allocation.evicted[*next_victim++]);
      }
      Place& place = places[wanted.places[i]];
      place.load = load;
      place.ours = true;
      place.index = static_cast<std::uint32_t>(i - begin);
      hashes.push_back(place.hash);
      sources.push_back(std::move(wanted.sources[i]));
    }
    BlockRun<MutableBlock<G1>> rest = targets.split_off(static_cast<std::uint32_t>(i - begin));
    load->set_parts({std::move(hashes), std::move(targets), BlockRun<ImmutableBlock<G2>>::of(std::move(sources)),
                     std::move(victim_blocks), std::move(victim_hashes)});
    targets = std::move(rest);
    begin = i;
  }
  for (std::size_t i = 1; i < loads.size(); ++i) state->unclaim(loads[i]->hashes(), *first);
}

bool Onboarding::Plan::begin_next(bool wait) {
  const std::shared_ptr<Load>& next = loads[begun];
  const auto victims = static_cast<std::uint32_t>(next->victims());
  StagingPages pages = state->take_staging(victims);
  while (pages.ids().size() < victims) {
    pages = state->take_staging(0);  // what little there was goes back first
    if (!wait) return false;
    const bool settled = state->settle_front();
    pages = state->take_staging(victims);
    if (!settled) break;  // somebody is about to use the others: these victims are lost
  }
  Load::begin(next, *state, std::move(pages));
  ++begun;
  return true;
}

bool Onboarding::Plan::begin_rest(bool wait) {
  while (begun < loads.size()) {
    Load& before = *loads[begun - 1];
    if (!wait && !before.arrived()) return false;
    before.settle(*state);
    if (!begin_next(wait)) return false;
  }
  return true;
}

void Onboarding::Plan::settle() {
  static_cast<void>(begin_rest(true));
  for (const Place& place : places) {
    if (place.load != nullptr) place.load->settle(*state);
  }
}

std::optional<ImmutableBlock<G1>> Onboarding::Plan::block_at(Place& place) const {
  if (place.here) return std::move(place.here);
  if (place.ours) {
    if (!place.load->registered()) return std::nullopt;
    return place.load->registered()->block(place.index);
  }
  std::vector<ImmutableBlock<G1>> found = state->g1().scan_matches({&place.hash, 1}, false).into_blocks();
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

/// The prefix up to the first block that did not come.
Onboarded Onboarding::Plan::assemble() {
  std::vector<ImmutableBlock<G1>> tail;
  tail.reserve(places.size());
  for (Place& place : places) {
    std::optional<ImmutableBlock<G1>> block = block_at(place);
    if (!block) break;
    tail.push_back(std::move(*block));
  }
  Onboarded onboarded{std::move(head)};
  onboarded.prefix.append(G1Run::of(std::move(tail)));
  for (const std::shared_ptr<Load>& load : loads) {
    load->registered().reset();
    if (!load->failure()) continue;
    if (onboarded.failure) {
      state->report(std::move(*load->failure()));
    } else {
      onboarded.failure = std::move(*load->failure());
      state->count({.failures = 1});
    }
  }
  loads.clear();
  return onboarded;
}

}  // namespace kvbm
