// Guards: one class per state and tier, each step consumes the guard before it, and none may be lost by accident.
#include <utility>

#include "kvbm/manager/block_manager.hpp"

using namespace kvbm;

void copy_to_device(ImmutableBlock<G2> source, MutableBlock<G1> target);

void use(const BlockManager<G1>& device, const BlockManager<G2>& host, const SequenceHash& hash) {
  std::optional<MutableBlock<G1>> empty = device.allocate_block();
  std::optional<MutableBlock<G1>> another = device.allocate_block();
  std::optional<ImmutableBlock<G2>> in_host = host.match_block(hash);
  std::optional<ImmutableBlock<G1>> in_device = device.match_block(hash);
  if (!empty || !another || !in_host || !in_device) return;

#if KVBM_CASE == 1  // fails: (cannot|could not) convert|no viable conversion|no matching function
  copy_to_device(*in_device, std::move(*another));
#else
  copy_to_device(*in_host, std::move(*another));
#endif
#if KVBM_CASE == 2  // fails: deleted
  MutableBlock<G1> copy = *empty;
#endif
#if KVBM_CASE == 3  // fails: discards qualifiers|rvalue|lvalue
  auto staged = empty->stage(hash, 16);
#else
  auto staged = std::move(*empty).stage(hash, 16);
#endif
  if (!staged) return;
#if KVBM_CASE == 4  // fails: deleted
  CompleteBlock<G1> copy = *staged;
#endif
#if KVBM_CASE == 5  // fails: no member named|has no member
  auto twice = std::move(*staged).stage(hash, 16);
#endif
#if KVBM_CASE == 6  // fails: discards qualifiers|rvalue|lvalue
  MutableBlock<G1> unnamed = staged->reset();
#endif
#if KVBM_CASE == 7  // fails: (cannot|could not) convert|no viable conversion
  ImmutableBlock<G1> registered = device.register_block(std::move(*another));
#else
  ImmutableBlock<G1> registered = device.register_block(std::move(*staged));
#endif
#if KVBM_CASE == 8  // fails: no member named|has no member
  MutableBlock<G1> unregistered = std::move(registered).reset();
#endif
#if KVBM_CASE == 9  // fails: (cannot|could not) convert|no viable conversion
  ImmutableBlock<G2> elsewhere = host.register_block(std::move(*staged));
#endif
#if KVBM_CASE == 10  // fails: requested|no viable conversion
  ImmutableBlock<G2> elsewhere = registered;
#endif
#if KVBM_CASE == 11  // fails: private
  MutableBlock<G1> forged(ExclusiveHold(*static_cast<StoreHead*>(nullptr), 0));
#endif
}

void make() {
#if KVBM_CASE == 12  // fails: no matching
  MutableBlock<G1> block;
#endif
}

void ignore(const BlockManager<G1>& manager, MutableBlock<G1> block, CompleteBlock<G1> complete,
            const SequenceHash& hash) {
  (void)manager, (void)block, (void)complete, (void)hash;
#if KVBM_CASE == 13  // fails: nodiscard|unused-result
  std::move(block).stage(hash, 16);
#elif KVBM_CASE == 14  // fails: nodiscard|unused-result
  manager.allocate_block();
#elif KVBM_CASE == 15  // fails: nodiscard|unused-result
  manager.register_block(std::move(complete));
#elif KVBM_CASE == 16  // fails: nodiscard|unused-result
  BlockManager<G1>::create({});
#endif
}
