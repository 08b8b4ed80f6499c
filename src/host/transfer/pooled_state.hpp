#pragma once

#include <memory>
#include <utility>

#include "transfer/transfer_state.hpp"

namespace kvbm {

class TransferCore;
struct TransferSlot;

/// The state of a transfer of an engine. It outlives the slot, which goes back when the transfer has ended.
struct PooledState final : TransferState {
  /// Made by TransferCore, which it keeps alive while somebody refers to it.
  void lease(std::shared_ptr<TransferCore> from) noexcept {
    reset();
    core = std::move(from);
  }
  void attach(TransferSlot& under_way) noexcept KVBM_EXCLUDES(mutex_);
  /// The slot, and one more user of it; null when the transfer has left it.
  [[nodiscard]] TransferSlot* use_slot() noexcept KVBM_EXCLUDES(mutex_);
  /// Nobody comes to use the slot from now on.
  void detach() noexcept KVBM_EXCLUDES(mutex_);

  void order_before(StreamView stream) override;
  void order_layer_before(std::uint32_t layer, StreamView stream) override;
  bool cancel() override;

  std::shared_ptr<TransferCore> core;
  PooledState* next_free = nullptr;

 private:
  void recycle() noexcept override;

  TransferSlot* slot_ KVBM_GUARDED_BY(mutex_) = nullptr;
};

/// States that nobody refers to, last in, first out. The links lie in the states. It owns them.
class FreeStates {
 public:
  FreeStates() = default;
  FreeStates(FreeStates&&) = delete;
  ~FreeStates() {
    while (const PooledState* const state = pop()) delete state;
  }

  void push(PooledState& state) noexcept { state.next_free = std::exchange(first_, &state); }
  /// Null if there is none.
  [[nodiscard]] PooledState* pop() noexcept {
    PooledState* const state = first_;
    if (state != nullptr) first_ = state->next_free;
    return state;
  }

 private:
  PooledState* first_ = nullptr;
};

}  // namespace kvbm
