#include "kvbm/transfer/slow_transfer_watch.hpp"

#include <algorithm>
#include <utility>

namespace kvbm {

std::vector<PendingTransfer> SlowTransferWatch::check(const TransferEngine& engine, Time now) {
  const std::vector<PendingTransfer> slow = engine.pending_since(now - options_.threshold);
  std::vector<PendingTransfer> due;
  std::vector<Told> told;
  due.reserve(slow.size());
  {
    const MutexLock lock(mutex_);
    told.reserve(slow.size() + told_.size());
    auto before = told_.begin();
    // Those that have ended are forgotten, but not those that were told to somebody whose time is ahead of ours.
    const auto pass_up_to = [&](std::uint64_t number) {
      for (; before != told_.end() && before->number < number; ++before) {
        if (before->last > now) told.push_back(*before);
      }
    };
    for (const PendingTransfer& transfer : slow) {
      pass_up_to(transfer.number);
      const bool known = before != told_.end() && before->number == transfer.number;
      const bool is_due = !known || now - before->last >= options_.interval;
      if (is_due) due.push_back(transfer);
      told.push_back({transfer.number, is_due ? now : before->last});
      if (known) ++before;
    }
    pass_up_to(UINT64_MAX);
    told_.swap(told);
  }
  std::stable_sort(due.begin(), due.end(),
                   [](const PendingTransfer& a, const PendingTransfer& b) { return a.queued < b.queued; });
  return due;
}

}  // namespace kvbm
