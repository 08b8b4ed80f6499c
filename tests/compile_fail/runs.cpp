// Runs: the state is part of the type as it is with single guards, and so is what can be done with a run.
#include <utility>
#include <vector>

#include "kvbm/manager/block_manager.hpp"

using namespace kvbm;

void use(const BlockManager<G1>& device, const BlockManager<G2>& host, const std::vector<SequenceHash>& hashes) {
  std::optional<BlockRun<MutableBlock<G1>>> empty = device.allocate(4);
  std::optional<BlockRun<MutableBlock<G2>>> in_host = host.allocate(4);
  if (!empty || !in_host) return;

#if KVBM_CASE == 1  // fails: deleted
  BlockRun<MutableBlock<G1>> copy = *empty;
#endif
#if KVBM_CASE == 2  // fails: discards qualifiers|rvalue|lvalue
  auto staged = empty->stage(hashes, 16);
#else
  auto staged = std::move(*empty).stage(hashes, 16);
#endif
  if (!staged) return;
#if KVBM_CASE == 3  // fails: constraint
  auto twice = std::move(*staged).stage(hashes, 16);
#endif
#if KVBM_CASE == 4  // fails: constraint
  auto shared = staged->share();
#endif
#if KVBM_CASE == 5  // fails: (cannot|could not) convert|no viable conversion
  auto registered = device.register_blocks(std::move(*empty));
#else
  auto registered = device.register_blocks(std::move(*staged));
#endif
#if KVBM_CASE == 6  // fails: constraint
  auto unnamed = std::move(registered).reset();
#endif
#if KVBM_CASE == 7  // fails: (cannot|could not) convert|no viable conversion
  auto elsewhere = host.register_blocks(std::move(*staged));
#endif
#if KVBM_CASE == 8  // fails: requested|no viable conversion
  BlockRun<ImmutableBlock<G2>> elsewhere = std::move(registered);
#endif
#if KVBM_CASE == 9  // fails: (cannot|could not) convert|no viable conversion
  empty->append(std::move(*in_host));
#endif
#if KVBM_CASE == 10  // fails: rvalue|lvalue|cannot bind
  auto tail = device.match_blocks(hashes);
  registered.append(tail);
#else
  registered.append(device.match_blocks(hashes));
#endif
#if KVBM_CASE == 11  // fails: constraint
  const SequenceHash& none = empty->hash(0);
#endif
#if KVBM_CASE == 12  // fails: discards qualifiers|rvalue|lvalue
  auto blocks = registered.into_blocks();
#endif
}

void make() {
#if KVBM_CASE == 13  // fails: no matching
  BlockRun<MutableBlock<G1>> run;
#endif
}

void ignore(const BlockManager<G1>& manager, BlockRun<MutableBlock<G1>> run, const std::vector<SequenceHash>& hashes) {
  (void)manager, (void)run, (void)hashes;
#if KVBM_CASE == 14  // fails: nodiscard|unused-result
  std::move(run).stage(hashes, 16);
#elif KVBM_CASE == 15  // fails: nodiscard|unused-result
  manager.allocate(4);
#elif KVBM_CASE == 16  // fails: nodiscard|unused-result
  manager.match_blocks(hashes);
#elif KVBM_CASE == 17  // fails: nodiscard|unused-result
  std::move(run).into_blocks();
#endif
}
