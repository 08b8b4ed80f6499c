#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/blocks/block_run.hpp"
#include "kvbm/transfer/completion.hpp"

namespace kvbm {

/// Blocks of G1 to be filled. Until ready() some of their pages may still be read: what they held before is on its way
/// to G2. Whoever writes to them waits for it, on the host or on the stream that writes.
///
/// Made by   TieredCache::allocate.
/// Becomes   a run of mutable blocks through take(); dropped, the blocks return to the reset pool after their pages
///           have been read.
/// Threads   one at a time; may be handed from thread to thread.
/// Lifetime  may outlive the cache.
class [[nodiscard]] TieredAllocation {
 public:
  [[nodiscard]] std::span<const BlockId> ids() const noexcept { return held_->ids(); }
  /// Done when all pages may be written. Its outcome does not matter to whoever writes them.
  [[nodiscard]] const Completion& ready() const noexcept { return ready_; }
  /// The blocks if they are ready(); else none, and this stays as it is. Never waits.
  [[nodiscard]] std::optional<BlockRun<MutableBlock<G1>>> try_take() {
    if (!ready_.done()) return std::nullopt;
    return std::move(*std::exchange(held_, nullptr));
  }
  /// Waits until ready().
  [[nodiscard]] BlockRun<MutableBlock<G1>> take() && {
    static_cast<void>(ready_.wait());
    return std::move(*std::exchange(held_, nullptr));
  }

 private:
  friend class TieredCache;
  using Held = std::shared_ptr<BlockRun<MutableBlock<G1>>>;  // shared with the copies that read the pages

  TieredAllocation(Held held, Completion ready) noexcept : held_(std::move(held)), ready_(std::move(ready)) {}

  Held held_;
  Completion ready_;
};

}  // namespace kvbm
