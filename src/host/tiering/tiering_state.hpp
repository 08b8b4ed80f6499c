#pragma once

#include <cstdint>
#include <deque>
#include <list>
#include <memory>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/manager/block_manager.hpp"
#include "kvbm/tiering/tiering_options.hpp"
#include "kvbm/tiering/tiering_report.hpp"
#include "src/host/tiering/pending_hashes.hpp"
#include "src/host/tiering/page_records.hpp"
#include "src/host/tiering/staging_pool.hpp"
#include "src/host/tiering/tiering_job.hpp"
#include "src/host/tiering/write_behind.hpp"

namespace kvbm {

class Load;
class Put;

/// Pages to be copied from one place to another, and who holds them.
struct TieringCopy {
  TieringFailure::Operation operation;
  const std::shared_ptr<const BlockLayout>& source;
  const std::shared_ptr<const BlockLayout>& target;
  std::span<const BlockId> source_blocks;
  std::span<const BlockId> target_blocks;
  std::span<const SequenceHash> hashes;
  std::span<const EventView> after_events{};
  Keepalive keepalive{};

  /// A failure of this copy, but for the reason.
  [[nodiscard]] TieringFailure failure() const {
    return {operation, static_cast<std::uint32_t>(source_blocks.size()), hashes.front(), source_blocks.front(), {}};
  }
};

/// What a TieredCache and everything it made share: the two managers, the copies under way, what waits to be written
/// behind, and who is loading what.
///
/// Threads   any. One lock, for the lists only: nothing is copied, registered, destroyed or waited for under it.
/// Lifetime  no copy refers to it, only guards and staging pages: it may go while copies run on.
class TieringState {
 public:
  using G1Run = BlockRun<ImmutableBlock<G1>>;
  /// A copy that was not submitted.
  struct Refused {
    TieringFailure failure;
    bool precondition;  // it cannot wait for what it is to wait for
  };
  using Copied = Result<Completion, Refused>;

  TieringState(BlockManager<G1> g1, BlockManager<G2> g2, TieringOptions options, std::shared_ptr<StagingPool> staging);
  ~TieringState();

  [[nodiscard]] const BlockManager<G1>& g1() const noexcept { return g1_; }
  [[nodiscard]] const BlockManager<G2>& g2() const noexcept { return g2_; }
  [[nodiscard]] const TieringOptions& options() const noexcept { return options_; }
  [[nodiscard]] bool exclusive() const noexcept { return options_.mode == TierMode::Exclusive; }
  /// None where nothing is ever kept of what G1 evicts.
  [[nodiscard]] const std::shared_ptr<StagingPool>& staging() const noexcept { return staging_; }
  [[nodiscard]] std::uint32_t staging_blocks() const noexcept { return staging_ == nullptr ? 0 : staging_->blocks(); }
  [[nodiscard]] StagingPages take_staging(std::uint32_t most) const {
    return most == 0 ? StagingPages(nullptr, {}) : staging_->take(most);
  }

  /// Of the pages of G2.
  [[nodiscard]] PageRecords& page_records() noexcept { return page_records_; }
  /// The failure of a load of a block that G2 has, if it is stored such that no load can bring it.
  [[nodiscard]] std::optional<TieringFailure> refused_load(const ImmutableBlock<G2>& block) const;

  // ---- copies ----
  [[nodiscard]] Copied copy(TieringCopy copy, bool after_chain = false);
  /// Copies submitted with after_chain from now on come after `first`, by stream order if the device allows it, else by
  /// waiting for it here.
  void chain(const Completion& first, const TieringFailure& failure);
  /// Waits for a transfer, and says whether it was cancelled.
  [[nodiscard]] static bool cancelled(const Completion& copied);
  /// Waits for a transfer. `failure` with the reason if it failed.
  [[nodiscard]] static std::optional<TieringFailure> failed(const Completion& copied, const TieringFailure& failure);

  // ---- jobs, in the order in which they were begun ----
  using Jobs = std::list<std::shared_ptr<TieringJob>>;
  /// One job, whose place is made before its copies are: nothing can fail once they are under way.
  void add(Jobs one) noexcept;
  [[nodiscard]] Ticket ticket() const { return Ticket::fresh(tickets_); }
  [[nodiscard]] Tickets& tickets() const noexcept { return *tickets_; }
  /// Settles jobs from the front as long as they have arrived.
  void poll();
  /// Settles the job in front. Returns whether there was one.
  bool settle_front();
  /// Does what is to be done, or waits for others who do, until done() is true.
  template <class Done>
  void drive(const Done& done);

  // ---- who loads what ----
  /// The load that brings `hash`, which is now `mine` if nobody else does. Who did not make it counts as one more who
  /// wants it.
  [[nodiscard]] std::shared_ptr<Load> claim(const SequenceHash& hash, const std::shared_ptr<Load>& mine);
  void unclaim(std::span<const SequenceHash> hashes, const Load& mine) noexcept;
  /// One fewer wants the load. If nobody does any more, nobody is given it from now on, and it returns true.
  [[nodiscard]] bool give_up(Load& load) noexcept;

  // ---- towards G2 ----
  /// Whether the tier has a block with this hash. Nothing is pinned, and no order changes.
  template <class Tier>
  [[nodiscard]] bool is_in(const SequenceHash& hash) const {
    return g1_.registry().check_presence<Tier>({&hash, 1}).front().second;
  }
  /// Of blocks that leave G1, the indices of those that are to go on in G2.
  [[nodiscard]] std::vector<std::uint32_t> worth_keeping(std::span<const SequenceHash> victims) const;
  /// Empty blocks of G2, up to `most`, evicting as needed; none if all are in use.
  [[nodiscard]] std::optional<BlockRun<MutableBlock<G2>>> room_in_g2(std::uint32_t most) const;
  /// Exclusive mode: takes blocks out of G2 that G1 has or is going to have.
  void drop_from_g2(std::span<const SequenceHash> hashes) const;
  /// Keeps the registrations of `hashes` as they are while their blocks change tiers: no new use is counted. Empty if
  /// nobody would notice.
  [[nodiscard]] std::vector<Registration> keep_registrations(std::span<const SequenceHash> hashes) const;

  [[nodiscard]] WriteBehind& write_behind() noexcept { return write_behind_; }
  /// The failure of blocks to be offloaded that no copy was submitted for.
  [[nodiscard]] TieringFailure not_begun(const SequenceHash& first, std::uint32_t blocks, const std::string& why) const;
  /// Drops what is queued of `work`, and of its copies what nobody else has a part in.
  void give_up(OffloadWork& work);
  /// If all who wanted it have given it up: drops what is not enqueued of a job, and settles it if that was all.
  void drop_if_unwanted(TieringJob& job);
  /// Hashes on their way to G2, once for each who brings them there.
  [[nodiscard]] PendingHashes& pending() noexcept { return pending_; }

  // ---- reports ----
  void report(TieringFailure failure);
  [[nodiscard]] std::vector<TieringFailure> take_failures();
  /// Adds to the counts.
  void count(const TieringCounts& more) noexcept;
  [[nodiscard]] TieringCounts counts() const;
  void arrived(const PagesArrived& pages) const {
    if (options_.on_arrival) options_.on_arrival(pages);
  }
  [[nodiscard]] std::uint64_t page_bytes() const noexcept { return options_.g1_layout->config().block_bytes(); }

 private:
  static constexpr std::chrono::milliseconds kBetweenLooks{1};

  void remove(const std::shared_ptr<TieringJob>& job);

  const BlockManager<G1> g1_;
  const BlockManager<G2> g2_;
  const TieringOptions options_;
  const std::shared_ptr<StagingPool> staging_;
  const Stream chain_;
  const std::shared_ptr<Tickets> tickets_ = std::make_shared<Tickets>();
  WriteBehind write_behind_;
  PendingHashes pending_;
  PageRecords page_records_;

  mutable Mutex mutex_;
  Jobs jobs_ KVBM_GUARDED_BY(mutex_);
  std::unordered_map<SequenceHash, std::shared_ptr<Load>> loads_ KVBM_GUARDED_BY(mutex_);
  std::deque<TieringFailure> failures_ KVBM_GUARDED_BY(mutex_);
  TieringCounts counts_ KVBM_GUARDED_BY(mutex_);
};

template <class Done>
void TieringState::drive(const Done& done) {
  for (;;) {
    const std::uint64_t seen = tickets_->changes();
    if (done()) return;
    if (settle_front() || write_behind_.begin(*this)) continue;
    if (done()) return;
    if (write_behind_.holds_back()) {  // nobody tells when its event comes
      tickets_->wait_for_change(seen, kBetweenLooks);
    } else {
      tickets_->wait_for_change(seen);  // the rest is in the hands of others
    }
  }
}

}  // namespace kvbm
