#pragma once

#include <utility>

#include "kvbm/pools/block_slot.hpp"

namespace kvbm {

/// Sole ownership of one slot that nobody can look up: the core of MutableBlock and CompleteBlock.
///
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the manager; dropped, the slot returns to the reset pool.
class ExclusiveHold {
 public:
  ExclusiveHold(StoreHead& store, BlockId id) noexcept : store_(&store), id_(id) {}
  ExclusiveHold(ExclusiveHold&& other) noexcept : store_(std::exchange(other.store_, nullptr)), id_(other.id_) {}
  ExclusiveHold& operator=(ExclusiveHold&& other) noexcept {
    if (this != &other) {
      release();
      store_ = std::exchange(other.store_, nullptr);
      id_ = other.id_;
    }
    return *this;
  }
  ~ExclusiveHold() { release(); }

  [[nodiscard]] BlockId id() const noexcept { return id_; }
  [[nodiscard]] std::uint32_t tokens_per_block() const noexcept { return store_->tokens_per_block; }
  [[nodiscard]] const SequenceHash& hash() const noexcept { return slot().hash; }

  /// Mutable -> Staged. Needs no lock: the slot is ours.
  void stage(const SequenceHash& hash) noexcept {
    slot().hash = hash;
    store(slot().state, SlotState::Staged);
  }
  /// Staged -> Mutable.
  void unstage() noexcept;

  /// Gives the slot up without releasing it.
  BlockId detach() noexcept {
    store_ = nullptr;
    return id_;
  }

  [[nodiscard]] StoreHead* store_head() const noexcept { return store_; }

 private:
  BlockSlot& slot() const noexcept { return store_->slots[id_]; }
  void release() noexcept {
    if (store_ != nullptr) release_slot(*std::exchange(store_, nullptr), id_);
  }
  static void release_slot(StoreHead& store, BlockId id) noexcept;  // static: the hold can stay in registers

  StoreHead* store_;  // null: moved from
  BlockId id_;
};

}  // namespace kvbm
