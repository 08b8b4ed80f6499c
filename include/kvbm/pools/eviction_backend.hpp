#pragma once

#include <cstddef>
#include <span>

#include "kvbm/pools/slot_view.hpp"

namespace kvbm {

/// The order in which idle blocks are given up. It decides who goes next and nothing else: states, hashes and counts
/// belong to the store, which also finds blocks by hash.
///
/// Threads  called with the store locked; needs no lock, must not block, must not call back.
/// Cost     O(log n) a block at most; no allocation after reserve().
class EvictionBackend {
 public:
  EvictionBackend() = default;
  EvictionBackend(const EvictionBackend&) = delete;
  EvictionBackend& operator=(const EvictionBackend&) = delete;
  virtual ~EvictionBackend() = default;

  /// Makes room for slots.capacity() idle blocks. Called once, before any other call; `slots` lives as long as this.
  /// Errors  std::bad_alloc.
  virtual void reserve(const SlotView& slots) = 0;

  /// `blocks` became idle, one after another. Precondition: none is held here.
  virtual void insert(std::span<const BlockId> blocks) noexcept = 0;

  /// `blocks` were matched again. Precondition: each is held here.
  virtual void erase(std::span<const BlockId> blocks) noexcept = 0;

  /// Takes out up to victims.size() blocks, next to go first. Returns how many were written.
  [[nodiscard]] virtual std::size_t evict(std::span<BlockId> victims) noexcept = 0;

  /// How many blocks are held here; evict() can deliver as many.
  [[nodiscard]] virtual std::size_t size() const noexcept = 0;

  /// A block that is not idle leaves the store although other blocks count it as their parent or child.
  virtual void forget(BlockId /*block*/) noexcept {}

  /// Whether blocks are ordered by who is whose parent. The store then notes a probable parent when it registers a run
  /// and keeps blocks out whose lineage key another block has.
  [[nodiscard]] virtual bool uses_lineage() const noexcept { return false; }
};

}  // namespace kvbm
