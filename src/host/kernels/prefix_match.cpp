#include "kernels/prefix_match.cuh"

#include <atomic>

#include "kernels/launch_table.hpp"
#include "kernels/prefix_count.cuh"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

/// As atomicMin and atomicMax: several batches may share epochs, and run on several threads.
/// relaxed: whoever reads them waits for all of the batches first.
void note_epochs(TableEpochs& epochs, std::uint64_t before, std::uint64_t after) {
  const std::atomic_ref least(epochs.before), most(epochs.after);
  for (std::uint64_t seen = least.load(std::memory_order_relaxed);
       before < seen && !least.compare_exchange_weak(seen, before, std::memory_order_relaxed);) {
  }
  for (std::uint64_t seen = most.load(std::memory_order_relaxed);
       after > seen && !most.compare_exchange_weak(seen, after, std::memory_order_relaxed);) {
  }
}

/// The kernel's code with one warp for everything.
template <class Batch>
void match_on_host(const Batch& batch) {
  if (batch.requests == 0) return;
  const std::uint64_t before = load_table(&batch.table.header()->finished);
  Warp warp;
  if (batch.count_only) {
    PrefixCount<Batch>{batch}(warp, 0, 1);
  } else {
    PrefixMatch<Batch>{batch, chunk_for(batch, 1)}(warp, 0, 1);
  }
  if (batch.epochs != nullptr) note_epochs(*batch.epochs, before, load_table(&batch.table.header()->begun));
  // release: whoever sees the word sees the answers
  if (batch.done != nullptr) std::atomic_ref(*batch.done).store(batch.done_value, std::memory_order_release);
}

template <class Batch, class Launch>
KernelCall call(const Batch& batch, Launch launch) noexcept {
  KVBM_ASSERT(batch.done == nullptr || batch.blocks_left != nullptr, "completion is counted in a word");
  return {"kvbm.prefix_match", batch, &match_on_host<Batch>, launch};
}

}  // namespace

template <>
KernelCall prefix_match(const PrefixMatchBatch<FingerprintSlot, std::uint64_t>& batch) noexcept {
  return call(batch, launch_table().match_fingerprints);
}
template <>
KernelCall prefix_match(const PrefixMatchBatch<FingerprintSlot, SequenceHash>& batch) noexcept {
  return call(batch, launch_table().match_hashes);
}
template <>
KernelCall prefix_match(const PrefixMatchBatch<ExactSlot, SequenceHash>& batch) noexcept {
  return call(batch, launch_table().match_exactly);
}

}  // namespace kvbm::kernels
