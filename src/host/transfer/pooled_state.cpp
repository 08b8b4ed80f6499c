#include "transfer/pooled_state.hpp"

#include <utility>

#include "transfer/transfer_core.hpp"

namespace kvbm {

void PooledState::attach(TransferSlot& under_way) noexcept {
  const MutexLock lock(mutex_);
  slot_ = &under_way;
}

TransferSlot* PooledState::use_slot() noexcept {
  const MutexLock lock(mutex_);
  if (slot_ != nullptr) slot_->users.fetch_add(1, std::memory_order_relaxed);  // relaxed: there is one already
  return slot_;
}

void PooledState::detach() noexcept {
  const MutexLock lock(mutex_);
  slot_ = nullptr;
}

void PooledState::order_before(StreamView stream) { core->order_before(*this, std::nullopt, stream); }

void PooledState::order_layer_before(std::uint32_t layer, StreamView stream) {
  core->order_before(*this, layer, stream);
}

bool PooledState::cancel() { return core->cancel(*this); }

void PooledState::recycle() noexcept {
  keepalive = Keepalive();  // nobody is left to take it
  const std::shared_ptr<TransferCore> home = std::move(core);
  home->take_back(*this);
}

}  // namespace kvbm
