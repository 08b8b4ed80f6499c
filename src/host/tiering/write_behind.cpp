#include "src/host/tiering/write_behind.hpp"

#include <algorithm>
#include <iterator>

#include "kvbm/device/device_error.hpp"
#include "src/host/tiering/put.hpp"

namespace kvbm {
namespace {

std::vector<OffloadDuty> duties_of(const std::shared_ptr<OffloadWork>& work) {
  std::vector<OffloadDuty> duties;
  duties.reserve(work->size());
  for (std::uint32_t i = work->size(); i-- > 0;) duties.emplace_back(work, i);
  return duties;
}

}  // namespace

/// Marks a batch as under way until it is known not to be.
class WriteBehind::Turn {
 public:
  explicit Turn(WriteBehind& queue) : queue_(queue) {
    MutexLock lock(queue_.mutex_);
    taken_ = !queue_.under_way_ && !queue_.queue_.empty();
    if (taken_) queue_.under_way_ = true;
  }
  Turn(const Turn&) = delete;
  Turn& operator=(const Turn&) = delete;
  ~Turn() {
    if (taken_) queue_.ended();
  }

  [[nodiscard]] bool taken() const noexcept { return taken_; }
  /// The batch goes on.
  void hand_over() noexcept { taken_ = false; }

 private:
  WriteBehind& queue_;
  bool taken_;
};

/// Blocks that are copied together. They count as pending from the moment they are in it.
struct WriteBehind::Batch {
  Batch(TieringState& tiers, std::size_t blocks_max) : state(tiers), most(blocks_max) {}
  Batch(const Batch&) = delete;
  Batch& operator=(const Batch&) = delete;
  ~Batch() { state.pending().unmark(marked); }

  [[nodiscard]] bool empty() const noexcept { return duties.empty(); }
  void add(OffloadDuty duty, ImmutableBlock<G1> block) {
    if (empty()) reserve();  // then what is marked is sure to be unmarked
    const SequenceHash hash = duty.hash();
    state.pending().mark({&hash, 1});
    marked.push_back(hash);
    duties.push_back(std::move(duty));
    blocks.push_back(std::move(block));
  }

  void reserve() {
    duties.reserve(most);
    blocks.reserve(most);
    marked.reserve(most);
  }

  TieringState& state;
  const std::size_t most;
  std::vector<OffloadDuty> duties;
  std::vector<ImmutableBlock<G1>> blocks;
  std::vector<SequenceHash> marked;
};

std::uint32_t WriteBehind::queue(const std::shared_ptr<OffloadWork>& work) {
  if (work->is_held_back()) return hold_back(work);
  std::vector<OffloadDuty> added = duties_of(work);
  std::vector<OffloadDuty> forgotten;
  forgotten.reserve(work->size());  // there was room for those before it
  {
    MutexLock lock(mutex_);
    queue_.insert(queue_.end(), std::make_move_iterator(added.begin()), std::make_move_iterator(added.end()));
    forget(forgotten);
  }
  tickets_->changed();
  for (OffloadDuty& duty : forgotten) duty.finish(BlockProgress::Skipped);
  return static_cast<std::uint32_t>(forgotten.size());
}

void WriteBehind::forget(std::vector<OffloadDuty>& forgotten) {
  for (; queue_.size() > queue_max_; queue_.pop_front()) forgotten.push_back(std::move(queue_.front()));
}

/// What is held back has a bound of its own, of the same size; the youngest work stays in any case.
std::uint32_t WriteBehind::hold_back(const std::shared_ptr<OffloadWork>& work) {
  HeldBackWork::Items one, forgotten;
  one.push_back({work, duties_of(work)});
  {
    MutexLock lock(mutex_);
    forgotten = held_back_.add(std::move(one), queue_max_);
  }
  tickets_->changed();
  std::uint32_t count = 0;
  for (HeldBackWork::Item& item : forgotten) {
    for (OffloadDuty& duty : item.duties) duty.finish(BlockProgress::Skipped);
    count += item.work->size();
  }
  return count;
}

bool WriteBehind::holds_back() const noexcept {
  MutexLock lock(mutex_);
  return !held_back_.empty();
}

std::vector<std::shared_ptr<OffloadWork>> WriteBehind::held_back() const {
  MutexLock lock(mutex_);
  return held_back_.works();
}

std::uint32_t WriteBehind::look_at(const OffloadWork& work, TieringState& state) {
  try {
    if (state.options().engine->device()->done(work.after()->view())) release(work, state);
    return 0;
  } catch (const DeviceError& error) {
    return fail_held_back(work, std::string("its precondition failed: ") + error.what(), state);
  }
}

void WriteBehind::release(const OffloadWork& work, TieringState& state) {
  HeldBackWork::Items released;
  std::vector<OffloadDuty> forgotten;
  forgotten.reserve(work.size());
  {
    MutexLock lock(mutex_);
    HeldBackWork::Item* const item = held_back_.find(work);
    if (item == nullptr) return;  // somebody else was first
    queue_.insert(queue_.end(), std::make_move_iterator(item->duties.begin()),
                  std::make_move_iterator(item->duties.end()));
    released = held_back_.take(work);
    forget(forgotten);
  }
  tickets_->changed();
  for (OffloadDuty& duty : forgotten) duty.finish(BlockProgress::Skipped);
  state.count({.forgotten_blocks = forgotten.size()});
}

std::uint32_t WriteBehind::fail_held_back(const OffloadWork& work, const std::string& why, TieringState& state) {
  HeldBackWork::Items failed;
  {
    MutexLock lock(mutex_);
    failed = held_back_.take(work);
  }
  if (failed.empty()) return 0;
  state.report(state.not_begun(failed.front().duties.front().hash(), work.size(), why));
  for (OffloadDuty& duty : failed.front().duties) duty.finish(BlockProgress::Failed);
  return work.size();
}

std::uint32_t WriteBehind::fail_overdue(TieringState& state, OffloadWork::Time now) {
  std::uint32_t failed = 0;
  for (const std::shared_ptr<OffloadWork>& work : held_back()) {
    if (work->deadline() > now) continue;
    failed += look_at(*work, state);
    failed += fail_held_back(*work, "its precondition timed out", state);
  }
  return failed;
}

void WriteBehind::ended() noexcept {
  {
    MutexLock lock(mutex_);
    under_way_ = false;
  }
  tickets_->changed();
}

std::uint32_t WriteBehind::sweep(const OffloadWork& work) {
  HeldBackWork::Items released;
  std::vector<OffloadDuty> dropped;
  dropped.reserve(work.size());
  {
    MutexLock lock(mutex_);
    released = held_back_.take(work);
    for (HeldBackWork::Item& item : released)
      std::move(item.duties.begin(), item.duties.end(), std::back_inserter(dropped));
    auto kept = queue_.begin();
    for (auto at = queue_.begin(); at != queue_.end(); ++at) {
      if (&at->work() == &work) {
        dropped.push_back(std::move(*at));
      } else if (kept++ != at) {
        *std::prev(kept) = std::move(*at);
      }
    }
    queue_.erase(kept, queue_.end());  // nobody's by now
  }
  for (OffloadDuty& duty : dropped) duty.finish(BlockProgress::Cancelled);
  return static_cast<std::uint32_t>(dropped.size());
}

std::optional<OffloadDuty> WriteBehind::pop() {
  MutexLock lock(mutex_);
  if (queue_.empty()) return std::nullopt;
  OffloadDuty duty = std::move(queue_.front());
  queue_.pop_front();
  return duty;
}

std::uint32_t WriteBehind::put_back(std::span<OffloadDuty> duties) {
  std::vector<OffloadDuty> dropped;
  dropped.reserve(duties.size());
  {
    MutexLock lock(mutex_);  // whoever gives work up sweeps after that
    for (auto duty = duties.rbegin(); duty != duties.rend(); ++duty) {
      if (duty->work().given_up()) {
        dropped.push_back(std::move(*duty));
      } else {
        queue_.push_front(std::move(*duty));
      }
    }
  }
  for (OffloadDuty& duty : dropped) duty.finish(BlockProgress::Cancelled);
  return static_cast<std::uint32_t>(dropped.size());
}

/// What comes next in the queue up to a block that is in G2 already: that one may be evicted from there by those before
/// it, and is looked at again once they have arrived. `alone`: only what waits for the same event.
void WriteBehind::fill(Batch& batch, TieringState& state, bool alone) {
  TieringCounts counts;
  while (batch.duties.size() < batch.most) {
    std::optional<OffloadDuty> duty = pop();
    if (!duty) break;
    const SequenceHash hash = duty->hash();
    const bool in_g2 = state.is_in<G2>(hash);
    const bool other = alone && !batch.empty() && duty->work().after() != batch.duties.front().work().after();
    if (!batch.empty() && (in_g2 || other)) {
      counts.cancelled_blocks += put_back({&*duty, 1});
      break;
    }
    if (duty->work().given_up()) {
      duty->finish(BlockProgress::Cancelled);
      ++counts.cancelled_blocks;
      continue;
    }
    std::vector<ImmutableBlock<G1>> found;
    if (!in_g2 && !state.pending().contains(hash)) found = state.g1().scan_matches({&hash, 1}, false).into_blocks();
    if (found.empty()) {
      duty->finish(BlockProgress::Skipped);
      ++counts.skipped_blocks;
      continue;
    }
    batch.add(std::move(*duty), std::move(found.front()));
  }
  state.count(counts);
}

bool WriteBehind::begin(TieringState& state) {
  if (holds_back()) {
    for (const std::shared_ptr<OffloadWork>& work : held_back()) look_at(*work, state);
  }
  for (bool alone = false;;) {
    Turn turn(*this);
    if (!turn.taken()) return false;
    Batch batch(state, std::min(state.options().offload_blocks_max, std::max(1u, state.g1().total_blocks() / 4)));
    fill(batch, state, alone);
    const Sent sent = copy(state, batch, turn);
    if (sent == Sent::UnderWay) return true;
    alone = alone || sent == Sent::NotTogether;
  }
}

/// Puts back what is more than `size`, and takes out what was given up.
void WriteBehind::trim(Batch& batch, std::size_t size, TieringState& state) {
  TieringCounts counts{.cancelled_blocks = put_back(std::span(batch.duties).subspan(size))};
  batch.duties.erase(batch.duties.begin() + static_cast<std::ptrdiff_t>(size), batch.duties.end());
  std::size_t kept = 0;
  for (std::size_t i = 0; i < size; ++i) {
    if (!batch.duties[i].start()) {
      batch.duties[i].finish(BlockProgress::Cancelled);
      ++counts.cancelled_blocks;
      continue;
    }
    std::swap(batch.duties[kept], batch.duties[i]);
    std::swap(batch.blocks[kept++], batch.blocks[i]);
  }
  batch.duties.erase(batch.duties.begin() + static_cast<std::ptrdiff_t>(kept), batch.duties.end());
  batch.blocks.erase(batch.blocks.begin() + static_cast<std::ptrdiff_t>(kept), batch.blocks.end());
  state.count(counts);
}

/// Copies as much of the batch as G2 has room for; the rest waits on.
WriteBehind::Sent WriteBehind::copy(TieringState& state, Batch& batch, Turn& turn) {
  if (batch.empty()) return Sent::Nothing;
  auto targets = state.room_in_g2(static_cast<std::uint32_t>(batch.duties.size()));
  if (!targets) {
    for (OffloadDuty& duty : batch.duties) duty.finish(BlockProgress::Skipped);
    state.count({.skipped_blocks = batch.duties.size()});
    return Sent::Nothing;
  }
  trim(batch, targets->size(), state);
  if (batch.empty()) return Sent::Nothing;  // all of it was given up
  static_cast<void>(targets->split_off(static_cast<std::uint32_t>(batch.duties.size())));
  std::vector<SequenceHash> hashes;
  hashes.reserve(batch.duties.size());
  for (const OffloadDuty& duty : batch.duties) hashes.push_back(duty.hash());
  auto sources = BlockRun<ImmutableBlock<G1>>::of(std::move(batch.blocks));
  const std::vector<BlockId> ids(sources.ids().begin(), sources.ids().end());
  Put::Source source{.layout = state.options().g1_layout, .blocks = ids, .keepalive = Keepalive(std::move(sources))};
  source.duties = std::move(batch.duties);
  Put::Begun put = Put::begin(state, source, std::move(*targets), hashes);
  if (put) {
    turn.hand_over();
    state.drop_if_unwanted(**put);  // whoever gave up before it was among the jobs has not seen it
    return Sent::UnderWay;
  }
  if (put.error().precondition && source.events() > 1) {
    for (const OffloadDuty& duty : source.duties) duty.requeue();
    state.count({.cancelled_blocks = put_back(source.duties)});
    return Sent::NotTogether;
  }
  for (OffloadDuty& duty : source.duties) duty.finish(BlockProgress::Failed);
  state.report(std::move(put.error().failure));
  return Sent::Nothing;
}

}  // namespace kvbm
