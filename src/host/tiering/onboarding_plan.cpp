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
  std::vector<std::shared_ptr<Load>> all;
  std::size_t under_way = 0;
  {
    MutexLock lock(mutex);
    all.swap(loads);
    under_way = begun;
  }
  for (std::size_t i = 0; state != nullptr && i < all.size(); ++i) {
    if (i < under_way) {
      all[i]->abandon(*state);
    } else {
      state->count({.lost_blocks = all[i]->victims()});
    }
  }
  if (state != nullptr && refused) state->report(std::move(*refused));
  while (!places.empty()) places.pop_back();
  while (!all.empty()) all.pop_back();
}

void Onboarding::Plan::make(std::vector<TieredMatch::Place> tail) {
  end_before_unreadable(tail);
  const auto first = std::make_shared<Load>();
  const Claims claims(*state, first);
  Wanted wanted = look_around(std::move(tail), first);
  const auto most = static_cast<std::uint32_t>(wanted.places.size());
  std::optional<BlockManager<G1>::Allocation> allocation = allocate_most(state->g1(), most);
  const std::uint32_t count = allocation ? allocation->blocks.size() : 0;
  if (count < most) {  // no room in G1: the prefix ends earlier
    end_before(wanted.places[count], *first);
    wanted.sources.erase(wanted.sources.begin() + count, wanted.sources.end());
    wanted.places.resize(count);
  }
  std::vector<std::shared_ptr<Load>> ours;
  if (count != 0) ours = share_out(std::move(wanted), std::move(*allocation), first);
  {
    MutexLock lock(mutex);
    loads = std::move(ours);
    known.completed = head.size();
    if (refused) known.failed = 1;
    for (const Place& place : places) {
      if (place.here) ++known.completed;
      if (place.load != nullptr && !place.ours) others.push_back(place.load);
    }
  }
  if (count != 0) static_cast<void>(begin_next(true));
}

/// Gives up what the match has from the first block on of which no load can make a page.
void Onboarding::Plan::end_before_unreadable(std::vector<TieredMatch::Place>& tail) {
  for (std::size_t i = 0; i < tail.size(); ++i) {
    const auto* const in_g2 = std::get_if<ImmutableBlock<G2>>(&tail[i]);
    if (in_g2 == nullptr || !(refused = state->refused_load(*in_g2))) continue;
    while (tail.size() != i) tail.pop_back();
  }
}

/// Gives up the places from `end` on: others may load what `first` was to bring, and what others bring is left to them.
void Onboarding::Plan::end_before(std::size_t end, const Load& first) {
  for (; places.size() != end; places.pop_back()) {
    const Place& place = places.back();
    if (place.load != nullptr) place.load->leave(*state);
    if (place.load == nullptr && !place.here) state->unclaim({&place.hash, 1}, first);
  }
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
std::vector<std::shared_ptr<Load>> Onboarding::Plan::share_out(Wanted wanted, BlockManager<G1>::Allocation allocation,
                                                               const std::shared_ptr<Load>& first) {
  std::vector<std::shared_ptr<Load>> made;
  const std::vector<std::uint32_t> keep = state->worth_keeping(allocation.evicted);
  const std::size_t count = wanted.places.size();
  const std::size_t unused = count - allocation.evicted.size();  // blocks without victims come first
  auto next_victim = keep.begin();
  BlockRun<MutableBlock<G1>> targets = std::move(allocation.blocks);
  for (std::size_t begin = 0; begin < count;) {
    const std::shared_ptr<Load>& load = made.emplace_back(begin == 0 ? first : std::make_shared<Load>());
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
  for (std::size_t i = 1; i < made.size(); ++i) state->unclaim(made[i]->hashes(), *first);
  return made;
}

std::shared_ptr<Load> Onboarding::Plan::next() const {
  MutexLock lock(mutex);
  return begun < loads.size() ? loads[begun] : nullptr;
}

std::shared_ptr<Load> Onboarding::Plan::before_next() const {
  MutexLock lock(mutex);
  return begun != 0 ? loads[begun - 1] : nullptr;
}

bool Onboarding::Plan::take(const std::shared_ptr<Load>& load) {
  MutexLock lock(mutex);
  if (begun == loads.size() || loads[begun] != load) return false;
  ++begun;
  return true;
}

bool Onboarding::Plan::begin_next(bool wait) {
  const std::shared_ptr<Load> load = next();
  if (load == nullptr) return true;
  const auto victims = static_cast<std::uint32_t>(load->victims());
  StagingPages pages = state->take_staging(victims);
  while (pages.ids().size() < victims) {
    pages = state->take_staging(0);  // what little there was goes back first
    if (!wait) return false;
    const bool settled = state->settle_front();
    pages = state->take_staging(victims);
    if (!settled) break;  // somebody is about to use the others: these victims are lost
  }
  if (take(load)) Load::begin(load, *state, std::move(pages));
  return true;
}

bool Onboarding::Plan::begin_rest(bool wait) {
  while (next() != nullptr) {
    const std::shared_ptr<Load> before = before_next();
    if (!wait && !before->arrived()) return false;
    before->settle(*state);
    if (!begin_next(wait)) return false;
  }
  return true;
}

bool Onboarding::Plan::is_awaited(const Place& place) const {
  if (place.load == nullptr || place.ours) return place.load != nullptr;
  MutexLock lock(mutex);
  return !known.cancel_requested;
}

bool Onboarding::Plan::arrived() const noexcept {
  for (const Place& place : places) {
    if (is_awaited(place) && !place.load->arrived()) return false;
  }
  return true;
}

void Onboarding::Plan::settle() {
  static_cast<void>(begin_rest(true));
  for (const Place& place : places) {
    if (is_awaited(place)) place.load->settle(*state);
  }
}

void Onboarding::Plan::cancel() {
  std::shared_ptr<TieringState> shared;
  std::vector<std::shared_ptr<Load>> under_way, joined, rest;
  {
    MutexLock lock(mutex);
    if (std::exchange(known.cancel_requested, true) || state == nullptr) return;
    shared = state;
    joined = others;
    const auto first = loads.begin() + static_cast<std::ptrdiff_t>(begun);
    under_way.assign(loads.begin(), first);
    rest.assign(first, loads.end());
    loads.erase(first, loads.end());
    for (const std::shared_ptr<Load>& load : rest) known.cancelled += static_cast<std::uint32_t>(load->hashes().size());
  }
  for (const std::shared_ptr<Load>& load : under_way) load->leave(*shared);
  for (const std::shared_ptr<Load>& load : joined) load->leave(*shared);
  for (const std::shared_ptr<Load>& load : rest) load->drop(*shared);
}

void Onboarding::Plan::let_go() {
  std::shared_ptr<TieringState> gone;
  MutexLock lock(mutex);
  gone.swap(state);
}

TieringProgress Onboarding::Plan::progress() const {
  MutexLock lock(mutex);
  TieringProgress progress = progress_of_others();
  for (std::size_t i = 0; i < loads.size(); ++i) {
    const auto blocks = static_cast<std::uint32_t>(loads[i]->hashes().size());
    progress.of(i < begun ? loads[i]->progress() : BlockProgress::Queued) += blocks;
  }
  return progress;
}

/// With what needs no load. Those that are on their way are not waited for after cancel().
TieringProgress Onboarding::Plan::progress_of_others() const {
  TieringProgress progress = known;
  for (const std::shared_ptr<Load>& load : others) {
    const BlockProgress its = load->progress();
    const bool finished = its != BlockProgress::Queued && its != BlockProgress::UnderWay;
    ++progress.of(known.cancel_requested && !finished ? BlockProgress::Cancelled : its);
  }
  return progress;
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
  std::vector<std::shared_ptr<Load>> ours, joined;
  {
    MutexLock lock(mutex);
    ours = loads;
    known = progress_of_others();
    joined.swap(others);  // what they hold is not to stay held
    onboarded.cancelled = known.cancel_requested;
  }
  const auto tell = [&](std::optional<TieringFailure> failure) {
    if (!failure) return;
    if (onboarded.failure) {
      state->report(std::move(*failure));
    } else {
      onboarded.failure = std::move(*failure);
      state->count({.failures = 1});
    }
  };
  for (const std::shared_ptr<Load>& load : ours) {
    load->registered().reset();
    tell(std::exchange(load->failure(), std::nullopt));
  }
  tell(std::exchange(refused, std::nullopt));
  while (!places.empty()) places.pop_back();
  return onboarded;
}

}  // namespace kvbm
