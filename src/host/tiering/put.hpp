#pragma once

#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "src/host/tiering/offload_work.hpp"
#include "src/host/tiering/tiering_state.hpp"

namespace kvbm {

/// Pages on their way into G2, out of G1 or out of staging memory. When they have arrived, their blocks are registered
/// and become idle one after another, in order. Their hashes are pending until then.
class Put final : public TieringJob {
 public:
  using Begun = Result<std::shared_ptr<Put>, TieringState::Refused>;

  /// Where pages come from, who keeps them there, and who asked for it.
  struct Source {
    const std::shared_ptr<const BlockLayout>& layout;
    std::span<const BlockId> blocks;
    Keepalive keepalive;
    Ticket ticket{};                    // of what it follows from
    bool marked = false;                // the hashes are marked as pending
    std::vector<OffloadDuty> duties{};  // one for each block, if it is write-behind

    /// How many events the blocks wait for.
    [[nodiscard]] std::size_t events() const;
  };

  /// Copies the pages of `source` to `targets`; there are as many hashes as pages. If the copy is refused, the duties
  /// stay in `source`, and the blocks have gone home.
  [[nodiscard]] static Begun begin(TieringState& state, Source& source, BlockRun<MutableBlock<G2>> targets,
                                   std::span<const SequenceHash> hashes);
  /// The same for victims of G1. Null if the copy was refused: that has been reported then.
  [[nodiscard]] static std::shared_ptr<Put> pass_on(TieringState& state, Source source,
                                                    BlockRun<MutableBlock<G2>> targets,
                                                    std::span<const SequenceHash> hashes);

  [[nodiscard]] bool arrived() const noexcept override { return copied_.done(); }
  [[nodiscard]] const Completion& copied() const noexcept { return copied_; }
  bool drop_if_unwanted() override;

 private:
  struct Held {
    BlockRun<MutableBlock<G2>> targets;
    Keepalive sources;
  };

  /// `duties`: those that it will have.
  Put(std::shared_ptr<Held> held, std::span<const SequenceHash> hashes, TieringFailure failure,
      std::span<const OffloadDuty> duties);

  class Leaving;

  void finish(TieringState& state) override;
  void finish_duties(BlockProgress how) noexcept;
  void enter_g2(TieringState& state, BlockRun<MutableBlock<G2>> targets, PendingMarks& marks);

  const std::shared_ptr<Held> held_;         // shared with the copy; its blocks are taken out when that is done
  Completion copied_ = Completion::ready();  // set before others know of it, as are the duties
  const std::vector<SequenceHash> hashes_;
  const TieringFailure failure_;                           // what to report if it fails, but for the reason
  const std::vector<std::shared_ptr<OffloadWork>> asked_;  // by these, if it is write-behind; each once
  std::vector<OffloadDuty> duties_;
};

}  // namespace kvbm
