// Sequences whose state is part of the type: what the state does not allow is not there.
#include <utility>

#include "kvbm/manager/block_manager.hpp"
#include "kvbm/sequence/sequence_in.hpp"

using namespace kvbm;

void use(const BlockManager<G1>& device, const BlockManager<G2>& host, SequenceIn<Idle, G1> idle) {
  (void)host;
#if KVBM_CASE == 1  // fails: deleted
  SequenceIn<Idle, G1> copy = idle;
#endif
#if KVBM_CASE == 2  // fails: discards qualifiers|rvalue|lvalue
  auto scheduled = idle.schedule_prefill(8, device);
#else
  auto scheduled = std::move(idle).schedule_prefill(8, device);
#endif
  if (!scheduled) return;
#if KVBM_CASE == 3  // fails: constraint
  auto twice = std::move(*scheduled).schedule_prefill(8, device);
#endif
#if KVBM_CASE == 4  // fails: constraint
  scheduled->release();
#endif
#if KVBM_CASE == 5  // fails: constraint
  auto applied = std::move(*scheduled).apply(std::span<const Token>(), device);
#else
  auto applied = std::move(*scheduled).apply(Token{1}, device);
#endif
  if (!applied) return;
#if KVBM_CASE == 6  // fails: constraint
  auto again = std::move(*applied).apply(Token{1}, device);
#endif
#if KVBM_CASE == 7  // fails: constraint
  auto elsewhere = std::move(*applied).schedule_decode(host);
#else
  auto elsewhere = std::move(*applied).schedule_decode(device);
#endif
  (void)elsewhere;
}

void ignore(const BlockManager<G1>& device, SequenceIn<Idle, G1> idle, SchedulableSequence<G1> sequence) {
  (void)device, (void)idle, (void)sequence;
#if KVBM_CASE == 8  // fails: nodiscard|unused-result
  std::move(idle).schedule_decode(device);
#elif KVBM_CASE == 9  // fails: nodiscard|unused-result
  sequence.schedule_decode(device);
#endif
}
