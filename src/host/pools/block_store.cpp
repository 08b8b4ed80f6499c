#include "src/host/pools/block_store.hpp"

#include <algorithm>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/yield_point.hpp"
#include "src/host/base/test_points.hpp"

namespace kvbm {
namespace {

constexpr std::uint32_t kLargePool = 128u << 10;  // slots of smaller pools stay in the caches; there prefetching costs
constexpr std::uint32_t kPlacesAhead = 16;
constexpr std::uint32_t kSlotsAhead = 8;

ManagerId next_manager_id() noexcept {
  static std::atomic<std::uint64_t> last{0};
  return {last.fetch_add(1, std::memory_order_relaxed) + 1};  // relaxed: only has to be unique
}

/// Fetches, ahead of a loop over blocks whose slots are at hand, the lines of the table that the loop will change.
class PlacesAhead {
 public:
  PlacesAhead(const SlotTable& table, std::span<const BlockId> ids, bool wanted) noexcept
      : table_(table), next_(wanted ? ids.data() : nullptr), end_(wanted ? ids.data() + ids.size() : nullptr) {
    if (!wanted) return;
    for (std::uint32_t i = 0; i < kPlacesAhead; ++i) advance();
  }
  void advance() noexcept {
    if (next_ != end_) table_.prefetch_place(*next_++);
  }

 private:
  const SlotTable& table_;
  const BlockId* next_;
  const BlockId* end_;
};

/// Ends a tenancy: no weak block can pin the slot any more. Precondition: no pins.
void next_generation(BlockSlot& slot) noexcept {
  const std::uint64_t word = load(slot.word);
  KVBM_YIELD("end a tenancy");
  store(slot.word, (word | BlockSlot::kPinMask) + 1);
}

}  // namespace

BlockStore::BlockStore(Options options)
    : StoreHead{nullptr, options.tokens_per_block, options.blocks > kLargePool},
      id_(next_manager_id()),
      tier_(options.tier),
      registry_(std::move(options.registry)),
      order_(std::move(options.backend)),
      log_(std::move(options.log)),
      duplication_(options.duplication),
      reset_on_release_(options.reset_on_release),
      kept_flags_(options.reset_on_release ? BlockSlot::kResetToggled : std::uint8_t{0}),
      uses_lineage_(order_->uses_lineage()),
      announces_(registry_->has_hook() || registry_->tracker() != nullptr),
      table_(options.blocks),
      free_(options.blocks),
      lender_(options.blocks) {
  StoreHead::slots = table_.slots();
  order_->reserve(SlotView(table_.slots(), table_.capacity(), table_));
  registry_->attach(*this);
}

/// Idle blocks go with the store, and with them the records that only they kept.
BlockStore::~BlockStore() {
  if (log_ != nullptr) log_->cleared();
  registry_->detach(*this);
  if (!registry_->has_records()) return;
  for (BlockId id = 0; id < table_.capacity(); ++id) {
    const BlockSlot& slot = table_[id];
    const bool watched = (slot.flags & BlockSlot::kRecorded) != 0;
    if (slot.state == SlotState::Inactive && watched) registry_->given_up(slot.hash);
  }
}

void BlockStore::close() noexcept {
  mutex_.lock();
  closed_ = true;
  unlock_closed();
}

bool BlockStore::finished() const noexcept {
  const bool nobody_holds = free_.size() + inactive_ == table_.capacity() && lender_.lent() == 0;
  const bool nobody_comes =
      weak_blocks_ == 0 && reporting_ == 0 && counters_.rescued_from_release == counters_.late_releases;
  return closed_ && nobody_holds && nobody_comes;
}

void BlockStore::unlock_closed() noexcept {
  const bool last = finished();
  mutex_.unlock();
  if (last) delete this;
}

/// Unlocks for as long as the registry is told.
void BlockStore::report_given_up(HashBatch& given_up) noexcept {
  ++reporting_;
  mutex_.unlock();
  KVBM_TEST_POINT(ReleaseUnlocked);
  for (const SequenceHash& hash : given_up.take()) registry_->given_up(hash);
  mutex_.lock();
  --reporting_;
}

/// Changes of many blocks, written while their slots are at hand: those stored have one pin, those removed none. Where
/// nothing is logged, the loops know nothing of a log.
template <bool kLogged>
class BlockStore::LogBatch {
 public:
  LogBatch(ChangeLog* log, std::size_t most) noexcept : batch_(*log, most) {}
  void stored(const BlockSlot& slot, BlockId id) noexcept { batch_.stored(slot.hash, id, load(slot.word) - 1); }
  void removed(const BlockSlot& slot, BlockId id) noexcept { batch_.removed(slot.hash, id, load(slot.word)); }

 private:
  ChangeLog::Batch batch_;
};
template <>
class BlockStore::LogBatch<false> {
 public:
  LogBatch(ChangeLog*, std::size_t) noexcept {}
  void stored(const BlockSlot&, BlockId) noexcept {}
  void removed(const BlockSlot&, BlockId) noexcept {}
};

template <bool kLogged>
void BlockStore::depart_victims(std::span<const BlockId> ids, bool& watched) noexcept {
  LogBatch<kLogged> log(log_.get(), ids.size());
  PlacesAhead ahead(table_, ids, large);
  for (const BlockId id : ids) {
    BlockSlot& slot = table_[id];
    ahead.advance();
    table_.erase(id);
    log.removed(slot, id);
    watched = watched || (slot.flags & BlockSlot::kRecorded) != 0;
    slot.flags &= BlockSlot::kRecorded;  // until the registry has been told
    slot.links = OrderLinks{};
    store(slot.state, SlotState::Unregistered);
    next_generation(slot);
  }
}

bool BlockStore::evict_into(std::span<BlockId> ids, bool& watched) {
  const std::size_t got = order_->evict(ids);
  if (got < ids.size()) {
    order_->insert(ids.first(got));
    ++counters_.allocation_rollbacks;
    return false;
  }
  inactive_ -= static_cast<std::uint32_t>(ids.size());
  log_ == nullptr ? depart_victims<false>(ids, watched) : depart_victims<true>(ids, watched);
  counters_.evictions += ids.size();
  return true;
}

/// The block has its first holder, whose pin is the only one.
void BlockStore::log_stored(BlockId id) noexcept {
  if (log_ != nullptr) log_->stored(table_[id].hash, id, load(table_[id].word) - 1);
}

void BlockStore::log_removed(BlockId id) noexcept {
  if (log_ != nullptr) log_->removed(table_[id].hash, id, load(table_[id].word));
}

bool BlockStore::take_blocks(std::span<BlockId> ids, std::uint32_t& evicted, bool& watched) {
  const std::size_t from_reset = std::min<std::size_t>(ids.size(), free_.size());
  free_.pop(ids.first(from_reset));
  if (from_reset < ids.size() && !evict_into(ids.subspan(from_reset), watched)) {
    free_.unpop(ids.first(from_reset));
    return false;
  }
  evicted = static_cast<std::uint32_t>(ids.size() - from_reset);
  counters_.allocations += ids.size();
  counters_.allocations_from_reset += from_reset;
  return true;
}

/// The victims are the caller's by now, so their slots may be read without the lock.
void BlockStore::report_evicted(std::span<const BlockId> victims) noexcept {
  for (const BlockId id : victims) {
    if ((table_[id].flags & BlockSlot::kRecorded) == 0) continue;
    table_[id].flags = 0;
    registry_->given_up(table_[id].hash);
  }
}

std::optional<RunHold> BlockStore::allocate_run(std::uint32_t count, std::uint32_t& evicted) {
  if (count == 0) return RunHold(RunHold::Kind::Mutable);
  bool watched = false;
  IdLender::Loan loan;
  {
    MutexLock lock(mutex_);
    if (free_.size() + inactive_ < count) return std::nullopt;
    loan = lender_.borrow(count);
    if (!take_blocks({loan.ids, count}, evicted, watched)) {
      lender_.give_back(loan);
      return std::nullopt;
    }
  }
  if (watched) report_evicted({loan.ids + (count - evicted), evicted});
  return RunHold(*this, loan.ids, count, loan.capacity, RunHold::Kind::Mutable);
}

std::optional<RunHold> BlockStore::allocate(std::uint32_t count) {
  std::uint32_t evicted = 0;
  return allocate_run(count, evicted);
}

std::optional<RunHold> BlockStore::allocate(std::uint32_t count, std::vector<SequenceHash>& evicted) {
  evicted.clear();
  evicted.reserve(std::min(count, blocks()));  // first, so that it cannot fail with blocks in hand
  std::uint32_t victims = 0;
  std::optional<RunHold> run = allocate_run(count, victims);
  if (run) {
    for (const BlockId id : run->ids().last(victims)) evicted.push_back(table_[id].hash);
  }
  return run;
}

BlockId BlockStore::allocate_one() {
  mutex_.lock();
  if (free_.size() == 0) return evict_one();
  const BlockId id = free_.pop();
  ++counters_.allocations_from_reset;
  ++counters_.allocations;
  mutex_.unlock();
  return id;
}

/// allocate_one() where there is no reset block.
BlockId BlockStore::evict_one() {
  BlockId id = kNoBlock;
  bool watched = false;
  {
    MutexLock lock(mutex_, kLocked);
    if (inactive_ == 0 || !evict_into({&id, 1}, watched)) return kNoBlock;
    ++counters_.allocations;
  }
  if (watched) report_evicted({&id, 1});
  return id;
}

/// One more run holds the slot. Returns whether it was idle; the caller then takes it out of the eviction order.
inline bool BlockStore::hold_by_run(BlockSlot& slot) noexcept {
  if (slot.state == SlotState::Inactive) {
    store(slot.state, SlotState::Primary);
    store(slot.word, load(slot.word) + 1);  // a plain store: nobody can pin an idle block without the lock
    store(slot.run_holders, 1);
    return true;
  }
  const std::uint32_t runs = slot.run_holders;
  if (runs == 0) add_pin(slot);
  store(slot.run_holders, runs + 1);
  return false;
}

inline bool BlockStore::hold_by_pin(BlockSlot& slot) noexcept {
  if (slot.state == SlotState::Inactive) {
    store(slot.state, SlotState::Primary);
    store(slot.word, load(slot.word) + 1);  // as above
    return true;
  }
  add_pin(slot);
  return false;
}

/// Pins a slot in use. One without pins is on its way out: its last holder is about to lock the store and will find it
/// taken again.
void BlockStore::add_pin(BlockSlot& slot) noexcept {
  // acquire: the plain store of a rescue ends the chain of drops that the next last drop would read from; from zero
  // nobody else can change the word
  const std::uint64_t word = load(slot.word, std::memory_order_acquire);
  if (BlockSlot::pins(word) != 0) {
    KVBM_YIELD("pin beside others");
    const std::uint64_t before = std::atomic_ref(slot.word).fetch_add(1, std::memory_order_relaxed);
    if (BlockSlot::pins(before) == 0) ++counters_.rescued_from_release;
    return;
  }
  KVBM_YIELD("rescue");
  store(slot.word, word + 1);
  ++counters_.rescued_from_release;
}

/// Returns whether nobody holds the slot any more.
inline bool BlockStore::unhold_by_run(BlockSlot& slot) noexcept {
  const std::uint32_t runs = slot.run_holders - 1;
  store(slot.run_holders, runs);
  if (runs != 0) return false;
  // acquire: what other holders did with the page happened before it is reused
  const std::uint64_t word = load(slot.word, std::memory_order_acquire);
  if (BlockSlot::pins(word) == 1 && ((slot.flags & BlockSlot::kWeakMade) == 0 || KVBM_PLANTED(StoreDespiteWeak))) {
    KVBM_YIELD("unpin by a store");
    store(slot.word, word - 1);  // a plain store: the only pin is the one given up here
    return true;
  }
  KVBM_YIELD("unpin for all runs");
  return BlockSlot::pins(std::atomic_ref(slot.word).fetch_sub(1, std::memory_order_acq_rel)) == 1;
}

/// Makes a staged block findable, or a duplicate, or notes that it is not wanted. Returns the block that the caller
/// then holds. `flags`: fresh_flags().
template <bool kByRun>
inline BlockStore::Settled BlockStore::settle(BlockId id, std::uint8_t flags) noexcept {
  BlockSlot& slot = table_[id];
  KVBM_ASSERT(slot.state == SlotState::Staged, "a block that is not staged was to be registered");
  bool collides = false;
  const BlockId primary = table_.find_or_insert(id, collides);
  if (primary != kNoBlock) return settle_beside<kByRun>(id, primary);
  store(slot.state, SlotState::Primary);
  slot.flags = static_cast<std::uint8_t>(flags | (collides && uses_lineage_ ? BlockSlot::kNotCacheable : 0));
  first_holder<kByRun>(slot);
  return {id, Outcome::Fresh};
}

/// settle() of a block whose hash `primary` has.
template <bool kByRun>
[[gnu::noinline]] BlockStore::Settled BlockStore::settle_beside(BlockId id, BlockId primary) noexcept {
  BlockSlot& slot = table_[id];
  KVBM_ASSERT(primary != id, "a block was registered twice");
  BlockSlot& holder = table_[primary];
  const bool rejected = duplication_ == DuplicationPolicy::Reject;
  const bool was_idle = rejected && kByRun ? hold_by_run(holder) : hold_by_pin(holder);
  if (was_idle) idle_erase(primary);
  if (rejected) {
    store(slot.state, SlotState::Unregistered);
    ++counters_.registration_dedup;
    return {primary, Outcome::Rejected};
  }
  store(slot.state, SlotState::Duplicate);
  slot.links.parent = primary + 1;  // duplicates are in no order: the link is free to name what they keep
  first_holder<kByRun>(slot);
  ++duplicates_;
  ++counters_.duplicate_blocks;
  return {id, Outcome::Duplicate};
}

/// Those of a block that becomes registered. Good while the store stays locked: who makes a record afterwards asks the
/// store to watch the hash, and finds it.
std::uint8_t BlockStore::fresh_flags() const noexcept {
  return registry_->has_records() ? BlockSlot::kRecorded : std::uint8_t{0};
}

template <bool kByRun>
inline void BlockStore::first_holder(BlockSlot& slot) noexcept {
  if constexpr (kByRun) store(slot.run_holders, 1);
  store(slot.word, load(slot.word) + 1);  // a plain store: nobody else knows the slot
}

template <bool kLogged>
void BlockStore::settle_run(RunHold& run, Chain& fresh, Chain& rejected) noexcept {
  LogBatch<kLogged> log(log_.get(), run.size_);
  BlockId before = kNoBlock;
  PlacesAhead ahead(table_, run.ids(), large);
  const std::uint8_t flags = fresh_flags();
  for (BlockId& id : std::span(run.ids_, run.size_)) {
    const BlockId candidate = id;
    ahead.advance();
    const Settled settled = settle<true>(candidate, flags);
    id = settled.id;
    if (settled.outcome == Outcome::Fresh) {
      if (uses_lineage_ && before != kNoBlock) guess_parent(table_[candidate].links, before);
      if (announces_) fresh.append(table_, candidate);
      log.stored(table_[candidate], candidate);
    } else if (settled.outcome == Outcome::Rejected) {
      rejected.append(table_, candidate);
    }
    before = id;
  }
}

RunHold BlockStore::register_run(RunHold&& candidates) {
  RunHold run(std::move(candidates));
  if (run.size_ == 0) return RunHold(RunHold::Kind::Shared);
  Chain fresh;
  {
    MutexLock lock(mutex_);
    Chain rejected;
    log_ == nullptr ? settle_run<false>(run, fresh, rejected) : settle_run<true>(run, fresh, rejected);
    // Only now, so that no block of this batch is handed out again before the whole batch is published.
    for (BlockId id = rejected.first; id != kNoBlock;) {
      free_.push(id);
      id = std::exchange(table_[id].links, OrderLinks{}).list.next;
    }
    counters_.stagings += run.size_;
    counters_.registrations += run.size_;
    run.kind_ = RunHold::Kind::Shared;
  }
  if (fresh.first != kNoBlock) announce(fresh.first);
  return run;
}

/// The block before in a run is likely the parent; the backend checks.
void BlockStore::guess_parent(OrderLinks& links, BlockId before) noexcept {
  if (table_[before].state == SlotState::Duplicate) before = table_[before].links.parent - 1;
  if ((table_[before].flags & BlockSlot::kNotCacheable) != 0) return;
  links.parent = before + 1;
  links.parent_generation = BlockSlot::generation(load(table_[before].word));
}

BlockId BlockStore::register_one(BlockId candidate) {
  mutex_.lock();
  const Settled settled = settle<false>(candidate, fresh_flags());
  if (settled.outcome == Outcome::Fresh) log_stored(candidate);
  if (settled.outcome == Outcome::Rejected) free_.push(candidate);
  ++counters_.stagings;
  ++counters_.registrations;
  mutex_.unlock();
  if (announces_ && settled.outcome == Outcome::Fresh) announce_registered(settled.id);
  return settled.id;
}

/// Tells the registry of a block that the caller's caller holds.
void BlockStore::announce_registered(BlockId id) {
  SharedHold hold(*this, id);  // lets go of the block if the registry throws
  KVBM_TEST_POINT(RegisteredUnlocked);
  announce_one(hold.hash());
  static_cast<void>(std::move(hold).detach());
}

bool BlockStore::announce_simply() const noexcept { return !registry_->has_hook() && !registry_->has_others(); }

/// Tells the registry of blocks that became registered. They are held by the caller, so their slots stay as they are.
void BlockStore::announce(BlockId first) {
  KVBM_TEST_POINT(RegisteredUnlocked);
  const bool simply = announce_simply();
  HashBatch batch;
  for (BlockId id = first; id != kNoBlock; id = table_[id].links.list.next) {
    const SequenceHash& hash = table_[id].hash;
    if (!simply) {
      announce_one(hash);
      continue;
    }
    batch.add(hash);
    if (batch.full()) registry_->tracker()->touch(batch.take());
  }
  if (!batch.empty()) registry_->tracker()->touch(batch.take());
}

void BlockStore::announce_one(const SequenceHash& hash) {
  if (announce_simply()) return registry_->tracker()->touch(hash);
  if (!registry_->has_hook() && registry_->live_elsewhere(hash, this)) return;
  registry_->became_registered(hash);
}

/// look_up() for large pools: the table's lines and the slots are fetched ahead.
template <class Found>
std::uint32_t BlockStore::look_up_ahead(std::span<const SequenceHash> hashes, Found&& found) noexcept {
  const SlotTable::Reader table(table_);
  std::uint32_t tags[2 * kPlacesAhead];
  constexpr std::uint32_t kMask = 2 * kPlacesAhead - 1;
  const auto count = static_cast<std::uint32_t>(hashes.size());
  for (std::uint32_t i = 0; i < std::min(kPlacesAhead, count); ++i) {
    tags[i] = lineage_tag(hashes[i]);
    table.prefetch_place(tags[i]);
  }
  for (std::uint32_t i = 0; i < std::min(kSlotsAhead, count); ++i) table.prefetch_slot(tags[i]);
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t tag = tags[i & kMask];
    if (i + kPlacesAhead < count) {
      const std::uint32_t ahead = tags[(i + kPlacesAhead) & kMask] = lineage_tag(hashes[i + kPlacesAhead]);
      table.prefetch_place(ahead);
    }
    if (i + kSlotsAhead < count) table.prefetch_slot(tags[(i + kSlotsAhead) & kMask]);
    if (!found(i, table.find(hashes[i], tag))) return i;
  }
  return count;
}

/// Finds all hashes in order and calls found(index, id or kNoBlock) until it returns false. Returns how often it was
/// true.
template <class Found>
std::uint32_t BlockStore::look_up(std::span<const SequenceHash> hashes, Found&& found) noexcept {
  if (large) return look_up_ahead(hashes, found);
  const SlotTable::Reader table(table_);
  const auto count = static_cast<std::uint32_t>(hashes.size());
  for (std::uint32_t i = 0; i < count; ++i) {
    if (!found(i, table.find(hashes[i], lineage_tag(hashes[i])))) return i;
  }
  return count;
}

/// Stretches of ids in a run's array that were idle, handed to the backend together.
class BlockStore::Awakened {
 public:
  Awakened(BlockStore& store, const BlockId* ids) noexcept : store_(store), ids_(ids) {}
  ~Awakened() KVBM_NO_THREAD_SAFETY_ANALYSIS { end(); }
  Awakened(const Awakened&) = delete;
  Awakened& operator=(const Awakened&) = delete;

  /// ids[place] was idle. Call with rising places.
  void add(std::uint32_t place) noexcept {
    if (place != last_) {
      end();
      first_ = place;
    }
    last_ = place + 1;
  }

 private:
  void end() noexcept KVBM_NO_THREAD_SAFETY_ANALYSIS {
    if (first_ != last_) store_.idle_erase({ids_ + first_, last_ - first_});
    first_ = last_;
  }

  BlockStore& store_;
  const BlockId* ids_;
  std::uint32_t first_ = 0;
  std::uint32_t last_ = 0;
};

RunHold BlockStore::match(std::span<const SequenceHash> hashes) {
  mutex_.lock();
  if (!hashes.empty() && table_.find(hashes.front()) != kNoBlock) return match_hits(hashes);
  counters_.match_hashes_requested += hashes.size();
  mutex_.unlock();
  return RunHold(RunHold::Kind::Shared);
}

/// match() where the first hash is known to be registered.
RunHold BlockStore::match_hits(std::span<const SequenceHash> hashes) {
  IdLender::Loan loan;
  std::uint32_t count = 0;
  {
    MutexLock lock(mutex_, kLocked);
    loan = lender_.borrow(static_cast<std::uint32_t>(hashes.size()));  // may throw, so before any count
    {
      BlockSlot* const all = table_.slots();
      BlockId* const ids = loan.ids;
      Awakened awakened(*this, ids);
      count = look_up(hashes, [&](std::uint32_t i, BlockId id) KVBM_NO_THREAD_SAFETY_ANALYSIS {
        if (id == kNoBlock) return false;
        ids[i] = id;
        if (hold_by_run(all[id])) awakened.add(i);
        return true;
      });
    }
    counters_.match_hashes_requested += hashes.size();
    counters_.match_blocks_returned += count;
    fit(loan, count);
  }
  if (registry_->tracker() != nullptr) registry_->tracker()->touch(hashes.first(count));
  return RunHold(*this, loan.ids, count, loan.capacity, RunHold::Kind::Shared);
}

bool BlockStore::fits_hint(const SequenceHash& hash, BlockHint hint) const noexcept {
  if (!hint.present() || hint.id() >= table_.capacity()) return false;
  const BlockSlot& slot = table_[hint.id()];
  const SlotState state = load(slot.state);  // the slot may be somebody's to stage by now
  const bool registered = state == SlotState::Inactive || state == SlotState::Primary;
  const std::uint32_t generation = BlockSlot::generation(load(slot.word));
  return registered && (generation & BlockHint::kGenerationMask) == hint.generation() && slot.hash == hash;
}

RunHold BlockStore::match_hinted(std::span<const SequenceHash> hashes, std::span<const BlockHint> hints) {
  KVBM_ASSERT(hints.size() == hashes.size(), "each hash has one hint");
  IdLender::Loan loan;
  std::uint32_t count = 0;
  {
    MutexLock lock(mutex_);
    if (hashes.empty() || !fits_hint(hashes.front(), hints.front())) return RunHold(RunHold::Kind::Shared);
    loan = lender_.borrow(static_cast<std::uint32_t>(hashes.size()));
    {
      Awakened awakened(*this, loan.ids);
      for (; count < hashes.size(); ++count) {
        if (count + kSlotsAhead < hints.size()) {
          const BlockHint ahead = hints[count + kSlotsAhead];
          if (ahead.id() < table_.capacity()) __builtin_prefetch(&table_[ahead.id()], 1);
        }
        if (!fits_hint(hashes[count], hints[count])) break;
        loan.ids[count] = hints[count].id();
        if (hold_by_run(table_[loan.ids[count]])) awakened.add(count);
      }
    }
    counters_.match_hashes_requested += count;
    counters_.match_blocks_returned += count;
    fit(loan, count);
  }
  if (registry_->tracker() != nullptr) registry_->tracker()->touch(hashes.first(count));
  return RunHold(*this, loan.ids, count, loan.capacity, RunHold::Kind::Shared);
}

/// Moves the first `count` ids of a loan to a smaller array if that is enough for them. Precondition: not 0.
void BlockStore::fit(IdLender::Loan& loan, std::uint32_t count) noexcept {
  if (!IdLender::wasteful(count, loan.capacity)) return;
  const IdLender::Loan smaller = lender_.borrow_from_region(count);
  if (smaller.ids == nullptr) return;
  std::copy_n(loan.ids, count, smaller.ids);
  lender_.give_back(loan);
  loan = smaller;
}

RunHold BlockStore::match_scattered(std::span<const SequenceHash> hashes) {
  const auto size = static_cast<std::uint32_t>(hashes.size());
  if (size == 0) return RunHold(RunHold::Kind::Shared);
  IdLender::Loan loan;
  {
    MutexLock lock(mutex_);
    loan = lender_.borrow(size);
    std::uint32_t hits = 0;
    {
      Awakened awakened(*this, loan.ids);
      look_up(hashes, [&](std::uint32_t i, BlockId id) KVBM_NO_THREAD_SAFETY_ANALYSIS {
        loan.ids[i] = id;
        if (id == kNoBlock) return true;
        ++hits;
        if (hold_by_run(table_[id])) awakened.add(i);
        return true;
      });
    }
    counters_.match_hashes_requested += size;
    counters_.match_blocks_returned += hits;
  }
  RunHold run(*this, loan.ids, size, loan.capacity, RunHold::Kind::Shared);
  if (registry_->tracker() != nullptr) touch_hits(hashes, run.ids());
  return run;
}

void BlockStore::touch_hits(std::span<const SequenceHash> hashes, std::span<const BlockId> ids) const noexcept {
  for (std::size_t i = 0; i < ids.size();) {
    std::size_t end = i;
    while (end < ids.size() && ids[end] != kNoBlock) ++end;
    if (end != i) registry_->tracker()->touch(hashes.subspan(i, end - i));
    i = end + 1;
  }
}

RunHold BlockStore::scan(std::span<const SequenceHash> hashes, bool touch) {
  if (hashes.empty()) return RunHold(RunHold::Kind::Shared);
  IdLender::Loan loan;
  std::uint32_t count = 0;
  {
    MutexLock lock(mutex_);
    loan = lender_.borrow(static_cast<std::uint32_t>(hashes.size()));
    {
      Awakened awakened(*this, loan.ids);
      look_up(hashes, [&](std::uint32_t, BlockId id) KVBM_NO_THREAD_SAFETY_ANALYSIS {
        if (id == kNoBlock || (table_[id].flags & BlockSlot::kScanned) != 0) return true;
        table_[id].flags |= BlockSlot::kScanned;
        loan.ids[count] = id;
        if (hold_by_run(table_[id])) awakened.add(count);
        ++count;
        return true;
      });
    }
    for (const BlockId id : std::span(loan.ids, count)) {
      table_[id].flags = static_cast<std::uint8_t>(table_[id].flags & ~BlockSlot::kScanned);
    }
    counters_.scan_hashes_requested += hashes.size();
    counters_.scan_blocks_returned += count;
    if (count != 0) {
      fit(loan, count);
    } else {
      lender_.give_back(loan);
    }
  }
  if (touch && registry_->tracker() != nullptr) touch_scanned(hashes);
  if (count == 0) return RunHold(RunHold::Kind::Shared);
  return RunHold(*this, loan.ids, count, loan.capacity, RunHold::Kind::Shared);
}

/// One count for each occurrence of a hash that is registered in any tier. Hits of the scan are still held.
void BlockStore::touch_scanned(std::span<const SequenceHash> hashes) const {
  HashBatch batch;
  for (std::size_t i = 0; i < hashes.size();) {
    const std::size_t end = std::min<std::size_t>(i + HashBatch::kMost, hashes.size());
    {
      MutexLock lock(mutex_);
      for (std::size_t k = i; k < end; ++k) {
        if (table_.find(hashes[k]) != kNoBlock) batch.add(hashes[k]);
      }
    }
    registry_->tracker()->touch(batch.take());
    i = end;
  }
  if (!registry_->has_others()) return;
  for (const SequenceHash& hash : hashes) {
    if (!holds(hash) && registry_->live_elsewhere(hash, this)) registry_->tracker()->touch(hash);
  }
}

BlockId BlockStore::pin_hash(const SequenceHash& hash) noexcept {
  const BlockId id = table_.find(hash);
  if (id != kNoBlock && hold_by_pin(table_[id])) idle_erase(id);
  return id;
}

BlockId BlockStore::match_one(const SequenceHash& hash) {
  BlockId id = kNoBlock;
  {
    MutexLock lock(mutex_);
    ++counters_.match_hashes_requested;
    id = pin_hash(hash);
    if (id == kNoBlock) return id;
    ++counters_.match_blocks_returned;
  }
  if (registry_->tracker() != nullptr) registry_->tracker()->touch(hash);
  return id;
}

BlockId BlockStore::upgrade(const SequenceHash& hash, BlockId id, std::uint32_t generation) noexcept {
  KVBM_TEST_POINT(WeakPinMissed);
  MutexLock lock(mutex_);
  BlockSlot& slot = table_[id];
  const SlotState state = load(slot.state);  // the slot may be somebody's to stage by now
  const bool registered = state == SlotState::Inactive || state == SlotState::Primary;
  KVBM_YIELD("compare generations");
  if (!registered || BlockSlot::generation(load(slot.word)) != generation) return pin_hash(hash);
  if (hold_by_pin(slot)) idle_erase(id);
  return id;
}

void BlockStore::depart(BlockId id) noexcept {
  BlockSlot& slot = table_[id];
  store(slot.state, SlotState::Unregistered);
  slot.flags = 0;
  slot.links = OrderLinks{};
  next_generation(slot);
  free_.push(id);
}

void BlockStore::flush(IdleBatch& idle) noexcept {
  if (idle.count != 0) idle_insert({idle.ids.data(), idle.count});
  idle.count = 0;
}

inline void BlockStore::become_idle(BlockSlot& slot, BlockId id, IdleBatch& idle) noexcept {
  store(slot.state, SlotState::Inactive);
  idle.ids[idle.count++] = id;
  if (idle.count == IdleBatch::kMost) flush(idle);
}

/// A registered block has no pins any more.
void BlockStore::release_unpinned(BlockId id, IdleBatch& idle, HashBatch& given_up) noexcept {
  BlockSlot& slot = table_[id];
  if (slot.state == SlotState::Duplicate) {
    const BlockId primary = slot.links.parent - 1;
    depart(id);
    --duplicates_;
    KVBM_YIELD("unpin the primary");
    // acq_rel: as for a guard
    const std::uint64_t before = std::atomic_ref(table_[primary].word).fetch_sub(1, std::memory_order_acq_rel);
    if (BlockSlot::pins(before) == 1) release_unpinned(primary, idle, given_up);
    return;
  }
  if (!reset_when_released(slot)) return become_idle(slot, id, idle);
  flush(idle);
  if (slot.links.children != 0 || slot.links.linked) order_->forget(id);
  if ((slot.flags & BlockSlot::kRecorded) != 0) given_up.add(slot.hash);
  table_.erase(id);
  log_removed(id);
  depart(id);
}

/// Last block first: no prefix grows older than what follows it.
template <bool kAhead>
inline void BlockStore::release_all(std::span<const BlockId> ids, HashBatch& given_up) noexcept {
  IdleBatch idle;
  BlockSlot* const all = table_.slots();
  for (std::size_t i = ids.size(); i-- > 0;) {
    if constexpr (kAhead) {
      if (i >= kSlotsAhead && ids[i - kSlotsAhead] != kNoBlock) __builtin_prefetch(&all[ids[i - kSlotsAhead]], 1);
    }
    const BlockId id = ids[i];
    if (id == kNoBlock) continue;
    BlockSlot& slot = all[id];
    if (!unhold_by_run(slot)) continue;
    if (slot.state == SlotState::Primary && !reset_when_released(slot)) {
      become_idle(slot, id, idle);
      continue;
    }
    release_unpinned(id, idle, given_up);
    if (given_up.full()) {
      flush(idle);
      report_given_up(given_up);
    }
  }
  flush(idle);
}

void BlockStore::release_shared(RunHold& run) noexcept {
  HashBatch given_up;
  if (large) {
    release_all<true>(run.ids(), given_up);
  } else {
    release_all<false>(run.ids(), given_up);
  }
  lender_.give_back({run.ids_, run.capacity_});
  if (!given_up.empty()) report_given_up(given_up);
  unlock_after_release();
}

void BlockStore::release_run(RunHold& run) noexcept {
  mutex_.lock();
  if (run.kind_ == RunHold::Kind::Shared) return release_shared(run);
  if (run.kind_ == RunHold::Kind::Staged) unstage_locked(run.ids());
  free_.push(run.ids());
  lender_.give_back({run.ids_, run.capacity_});
  unlock_after_release();
}

void BlockStore::release_exclusive(BlockId id) noexcept {
  mutex_.lock();
  if (table_[id].state == SlotState::Staged) unstage_locked({&id, 1});
  free_.push(id);
  unlock_after_release();
}

void BlockStore::last_pin_dropped(BlockId id) noexcept {
  KVBM_TEST_POINT(LastPinDropped);
  mutex_.lock();
  BlockSlot& slot = table_[id];
  // acquire: sees what other holders did with the page
  const bool unpinned = BlockSlot::pins(load(slot.word, std::memory_order_acquire)) == 0 || KVBM_PLANTED(ReleaseUnseen);
  KVBM_YIELD("release");
  if (unpinned && load(slot.state) == SlotState::Primary && !reset_when_released(slot)) {
    store(slot.state, SlotState::Inactive);
    idle_insert(id);
    return unlock_after_release();
  }
  release_last_pin(id);
}

/// last_pin_dropped() where the block is not simply kept, or not there any more.
void BlockStore::release_last_pin(BlockId id) noexcept {
  const BlockSlot& slot = table_[id];
  const SlotState state = load(slot.state);  // the slot may be somebody's to stage by now
  const bool registered = state == SlotState::Primary || state == SlotState::Duplicate;
  // acquire: as before; another holder may have reached zero since
  if (registered && BlockSlot::pins(load(slot.word, std::memory_order_acquire)) == 0) {
    IdleBatch idle;
    HashBatch given_up;
    release_unpinned(id, idle, given_up);
    flush(idle);
    if (!given_up.empty()) report_given_up(given_up);
  } else {
    ++counters_.late_releases;
  }
  unlock_after_release();
}

void BlockStore::unstage_locked(std::span<const BlockId> ids) noexcept {
  for (const BlockId id : ids) store(table_[id].state, SlotState::Unregistered);
  counters_.stagings += ids.size();
}

void BlockStore::unstage(std::span<const BlockId> ids) noexcept {
  MutexLock lock(mutex_);
  unstage_locked(ids);
}

BlockStore::Drained BlockStore::drain_inactive() noexcept {
  Drained drained{0, 0};
  mutex_.lock();
  for (std::size_t left = inactive_; left != 0;) {
    IdleBatch batch;
    const std::size_t got = order_->evict(std::span(batch.ids).first(std::min<std::size_t>(left, IdleBatch::kMost)));
    if (got == 0) break;
    inactive_ -= static_cast<std::uint32_t>(got);
    HashBatch given_up;
    for (const BlockId id : std::span(batch.ids).first(got)) {
      if ((table_[id].flags & BlockSlot::kRecorded) != 0) given_up.add(table_[id].hash);
      table_.erase(id);
      log_removed(id);
      depart(id);
    }
    drained.drained += static_cast<std::uint32_t>(got);
    left -= got;
    if (!given_up.empty()) report_given_up(given_up);
  }
  drained.free = free_.size();
  mutex_.unlock();
  return drained;
}

void BlockStore::set_reset_on_release(BlockId id, bool reset) noexcept {
  MutexLock lock(mutex_);
  std::uint8_t& flags = table_[id].flags;
  flags = static_cast<std::uint8_t>(reset != reset_on_release_ ? flags | BlockSlot::kResetToggled
                                                               : flags & ~BlockSlot::kResetToggled);
}

std::size_t BlockStore::use_count(BlockId id) const noexcept {
  MutexLock lock(mutex_);
  return holders(table_[id]);
}

void BlockStore::add_weak(BlockId id) noexcept {
  MutexLock lock(mutex_);
  table_[id].flags |= BlockSlot::kWeakMade;
  ++weak_blocks_;
}

void BlockStore::copy_weak() noexcept {
  MutexLock lock(mutex_);
  ++weak_blocks_;
}

void BlockStore::drop_weak() noexcept {
  mutex_.lock();
  --weak_blocks_;
  unlock_after_release();
}

RunHold BlockStore::reserve_run(std::uint32_t capacity, RunHold::Kind kind) {
  MutexLock lock(mutex_);
  const IdLender::Loan loan = lender_.borrow(capacity);
  return RunHold(*this, loan.ids, 0, loan.capacity, kind);
}

/// A block that a guard holds joins a run. The guard drops its own pin afterwards.
void BlockStore::hold_once_more(BlockId id) noexcept {
  MutexLock lock(mutex_);
  hold_by_run(table_[id]);
}

RunHold BlockStore::split_off(RunHold& run, std::uint32_t count) {
  RunHold rest(run.kind_);
  if (count >= run.size_) return rest;
  const std::uint32_t size = run.size_ - count;
  MutexLock lock(mutex_);
  const IdLender::Loan loan = lender_.borrow(size);
  std::copy_n(run.ids_ + count, size, loan.ids);
  run.size_ = count;
  rest = RunHold(*this, loan.ids, size, loan.capacity, run.kind_);
  return rest;
}

void BlockStore::append(RunHold& run, RunHold& tail) {
  KVBM_ASSERT(tail.store_ == run.store_ && tail.kind_ == run.kind_, "runs of two managers or states do not join");
  MutexLock lock(mutex_);
  const std::uint32_t size = run.size_ + tail.size_;
  if (size > run.capacity_) {
    const IdLender::Loan larger = lender_.borrow(size);
    std::copy_n(run.ids_, run.size_, larger.ids);
    lender_.give_back({run.ids_, run.capacity_});
    run.ids_ = larger.ids;
    run.capacity_ = larger.capacity;
  }
  std::copy_n(tail.ids_, tail.size_, run.ids_ + run.size_);
  run.size_ = size;
  lender_.give_back({tail.ids_, tail.capacity_});
  tail.forget();
}

RunHold BlockStore::share(const RunHold& run) {
  MutexLock lock(mutex_);
  const IdLender::Loan loan = lender_.borrow(run.size_);
  std::copy_n(run.ids_, run.size_, loan.ids);
  for (const BlockId id : run.ids()) {
    if (id != kNoBlock) hold_by_run(table_[id]);
  }
  return RunHold(*this, loan.ids, run.size_, loan.capacity, run.kind_);
}

/// Turns a run's holds into one pin each, and gives its array back.
void BlockStore::dissolve(RunHold& run) noexcept {
  mutex_.lock();
  for (const BlockId id : run.ids()) {
    if (run.kind_ != RunHold::Kind::Shared || id == kNoBlock) continue;
    BlockSlot& slot = table_[id];
    store(slot.run_holders, slot.run_holders - 1);
    KVBM_YIELD("leave a run");
    // relaxed: the hold goes on. The last run's shared pin simply becomes the guard's.
    if (slot.run_holders != 0) std::atomic_ref(slot.word).fetch_add(1, std::memory_order_relaxed);
  }
  lender_.give_back({run.ids_, run.capacity_});
  run.forget();
  mutex_.unlock();
}

std::uint32_t BlockStore::available() const noexcept {
  MutexLock lock(mutex_);
  return free_.size() + inactive_;
}

std::uint32_t BlockStore::holders(const BlockSlot& slot) noexcept {
  const std::uint32_t runs = load(slot.run_holders);
  return BlockSlot::pins(load(slot.word)) - (runs != 0 ? 1 : 0) + runs;
}

/// Handles and staged blocks are counted from the slots, without the lock: the hot path keeps no gauge of them.
PoolMetrics BlockStore::metrics() const noexcept {
  PoolMetrics metrics;
  std::int64_t unregistered = 0;
  {
    MutexLock lock(mutex_);
    metrics.allocations = counters_.allocations;
    metrics.allocations_from_reset = counters_.allocations_from_reset;
    metrics.evictions = counters_.evictions;
    metrics.registrations = counters_.registrations;
    metrics.duplicate_blocks = counters_.duplicate_blocks;
    metrics.registration_dedup = counters_.registration_dedup;
    metrics.stagings = counters_.stagings;
    metrics.match_hashes_requested = counters_.match_hashes_requested;
    metrics.match_blocks_returned = counters_.match_blocks_returned;
    metrics.scan_hashes_requested = counters_.scan_hashes_requested;
    metrics.scan_blocks_returned = counters_.scan_blocks_returned;
    metrics.eager_primary_to_inactive_total = counters_.rescued_from_release;
    metrics.allocate_atomic_rollback_total = counters_.allocation_rollbacks;
    metrics.release_primary_noop_total = counters_.late_releases;
    metrics.reset_pool_size = free_.size();
    metrics.inactive_pool_size = inactive_;
    unregistered = std::int64_t{table_.capacity()} - table_.size() - duplicates_ - free_.size();
  }
  std::int64_t staged = 0;
  for (BlockId id = 0; id < table_.capacity(); ++id) {
    const BlockSlot& slot = table_[id];
    const SlotState state = load(slot.state);
    if (state == SlotState::Staged) {
      ++staged;
    } else if (state == SlotState::Primary || state == SlotState::Duplicate) {
      metrics.inflight_immutable += std::int64_t{holders(slot)} - load(slot.lifecycle_pins);
      metrics.inflight_immutable -= state == SlotState::Duplicate ? 1 : 0;  // its own pin on its primary
    }
  }
  metrics.stagings += static_cast<std::uint64_t>(staged);
  metrics.inflight_mutable = std::max<std::int64_t>(0, unregistered - staged);
  metrics.inflight_immutable = std::max<std::int64_t>(0, metrics.inflight_immutable);
  return metrics;
}

bool BlockStore::holds(const SequenceHash& hash) const noexcept {
  MutexLock lock(mutex_);
  return table_.find(hash) != kNoBlock;
}

bool BlockStore::watch(const SequenceHash& hash) noexcept {
  MutexLock lock(mutex_);
  const BlockId id = table_.find(hash);
  if (id != kNoBlock) table_[id].flags |= BlockSlot::kRecorded;
  return id != kNoBlock;
}

std::size_t BlockStore::held_count() const noexcept {
  MutexLock lock(mutex_);
  return table_.size();
}

std::vector<SequenceHash> BlockStore::held_hashes() const {
  std::vector<SequenceHash> hashes;
  MutexLock lock(mutex_);
  for (BlockId id = 0; id < table_.capacity(); ++id) {
    const SlotState state = load(table_[id].state);
    if (state == SlotState::Primary || state == SlotState::Inactive) hashes.push_back(table_[id].hash);
  }
  return hashes;
}

RegisteredBlocks BlockStore::registered_blocks() const {
  constexpr BlockId kAtOnce = 4096;
  RegisteredBlocks registered{log_ != nullptr ? log_->next() : 0, {}};
  registered.blocks.reserve(held_count());
  for (BlockId first = 0; first < table_.capacity();) {
    const BlockId end = first + std::min(kAtOnce, table_.capacity() - first);
    if (registered.blocks.capacity() - registered.blocks.size() < kAtOnce) {  // here, not under the lock
      registered.blocks.reserve(registered.blocks.capacity() * 3 / 2 + kAtOnce);
    }
    MutexLock lock(mutex_);
    for (; first < end; ++first) {
      const BlockSlot& slot = table_[first];
      const SlotState state = load(slot.state);
      if (state != SlotState::Primary && state != SlotState::Inactive) continue;
      registered.blocks.push_back({slot.hash, first, BlockSlot::generation(load(slot.word))});
    }
  }
  return registered;
}

void BlockStore::check_invariants() const {
  MutexLock lock(mutex_);
  std::vector<bool> free(table_.capacity(), false);
  for (std::uint32_t i = 0; i < free_.size(); ++i) {
    const BlockId id = free_.at(i);
    KVBM_ASSERT(!free[id], "a block is in the reset pool twice");
    free[id] = true;
  }
  std::size_t inactive = 0, ordered = 0, registered = 0, duplicates = 0;
  for (BlockId id = 0; id < table_.capacity(); ++id) {
    const BlockSlot& slot = table_[id];
    const std::uint32_t pins = BlockSlot::pins(load(slot.word));
    const SlotState state = load(slot.state);
    const bool found = state != SlotState::Unregistered && state != SlotState::Staged && table_.find(slot.hash) == id;
    if (free[id]) KVBM_ASSERT(state == SlotState::Unregistered, "a block in the reset pool is registered");
    if (state == SlotState::Primary || state == SlotState::Inactive) {
      KVBM_ASSERT(found, "a registered block is not found by its hash");
      ++registered;
    }
    if (state == SlotState::Inactive) {
      KVBM_ASSERT(pins == 0, "an idle block is held");
      ++inactive;
      ordered += slot.links.held ? 1 : 0;
    } else if (state == SlotState::Primary || state == SlotState::Duplicate) {
      KVBM_ASSERT(!slot.links.held, "a block in use can be evicted");
      KVBM_ASSERT(pins > 0 && pins >= (slot.run_holders != 0 ? 1u : 0u), "a block in use has no holder");
    } else {
      KVBM_ASSERT(pins == 0 && !slot.links.held, "an unregistered block is held or can be evicted");
    }
    if (state == SlotState::Duplicate) {
      const BlockSlot& primary = table_[slot.links.parent - 1];
      KVBM_ASSERT(primary.state == SlotState::Primary && primary.hash == slot.hash, "a duplicate lost its primary");
      ++duplicates;
    }
  }
  KVBM_ASSERT(inactive == inactive_ && inactive == order_->size(), "the eviction order lost count");
  const bool keeps_marks = ordered != 0;  // a user's order need not
  KVBM_ASSERT(!keeps_marks || ordered == inactive, "an idle block is in no eviction order");
  KVBM_ASSERT(registered == table_.size(), "the table lost count");
  KVBM_ASSERT(duplicates == duplicates_, "duplicates were miscounted");
}

}  // namespace kvbm
