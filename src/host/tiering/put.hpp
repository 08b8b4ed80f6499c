#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "src/host/tiering/tiering_state.hpp"

namespace kvbm {

/// Pages on their way into G2, out of G1 or out of staging memory. When they have arrived, their blocks are registered
/// and become idle one after another, in order.
class Put final : public TieringJob {
 public:
  /// Where pages come from, and who keeps them there.
  struct Source {
    const std::shared_ptr<const BlockLayout>& layout;
    std::span<const BlockId> blocks;
    Keepalive keepalive;
    bool write_behind = false;
  };

  /// Copies the pages of `source` to `targets`; there are as many hashes as pages. Null if the copy was refused: that
  /// has been reported then, and the blocks have gone home.
  [[nodiscard]] static std::shared_ptr<Put> begin(TieringState& state, Source source,
                                                  BlockRun<MutableBlock<G2>> targets,
                                                  std::span<const SequenceHash> hashes);

  [[nodiscard]] bool arrived() const noexcept override { return copied_.done(); }
  [[nodiscard]] const Completion& copied() const noexcept { return copied_; }

 private:
  struct Held {
    BlockRun<MutableBlock<G2>> targets;
    Keepalive sources;
  };

  Put(std::shared_ptr<Held> held, Completion copied, std::span<const SequenceHash> hashes, TieringFailure failure,
      bool write_behind)
      : held_(std::move(held)),
        copied_(std::move(copied)),
        hashes_(hashes.begin(), hashes.end()),
        failure_(std::move(failure)),
        write_behind_(write_behind) {}

  void finish(TieringState& state) override;
  void enter_g2(TieringState& state, BlockRun<MutableBlock<G2>> targets) const;

  const std::shared_ptr<Held> held_;  // shared with the copy; its blocks are taken out when that is done
  const Completion copied_;
  const std::vector<SequenceHash> hashes_;
  const TieringFailure failure_;  // what to report if it fails, but for the reason
  const bool write_behind_;
};

}  // namespace kvbm
