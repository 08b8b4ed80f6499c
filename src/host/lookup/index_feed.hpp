#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "kvbm/base/block_hint.hpp"
#include "kvbm/events/change_log.hpp"
#include "src/host/lookup/lineage_holes.hpp"
#include "src/host/lookup/prefix_planner.hpp"

namespace kvbm {

/// Follows one manager's log into a planner, as one tier.
///
/// Threads  one at a time, with the planner.
class IndexFeed {
 public:
  /// `registered` reads the manager anew. Nothing has been read yet. `holes`, if not null, follows too.
  IndexFeed(unsigned tier, std::uint32_t blocks, std::shared_ptr<const ChangeLog> log,
            std::function<RegisteredBlocks()> registered, LineageHoles* holes)
      : tier_(tier),
        blocks_(blocks),
        registered_(std::move(registered)),
        reader_(std::move(log), 0),
        holes_(holes),
        held_(holes != nullptr ? blocks : 0) {}

  /// Takes up all changes that are there now. Returns how many; counts in `resyncs` how often the manager was read
  /// anew. `key_of` makes a planner's key of a hash. Errors  std::bad_alloc, to be called again.
  template <class Planner, class KeyOf>
  std::uint64_t follow(Planner& planner, KeyOf&& key_of, std::uint32_t& resyncs) {
    std::array<Change, 256> changes;
    std::uint64_t taken = 0;
    for (unsigned attempts = 0;;) {
      if (stale_) {
        if (attempts++ == kAttempts) return taken;  // the log is overrun faster than the manager is read: next time
        resync(planner, key_of);
        ++resyncs;
      }
      const std::uint64_t from = reader_.position();
      const ChangeReader::Outcome outcome = reader_.read(changes);
      stale_ = outcome.gap;
      if (outcome.gap) continue;
      if (outcome.count == 0) return taken;
      try {
        for (const Change& change : std::span(changes).first(outcome.count)) apply(planner, key_of, change);
      } catch (const std::bad_alloc&) {
        reader_.skip_to(from);  // changes may be applied twice
        throw;
      }
      taken += outcome.count;
    }
  }

 private:
  static constexpr unsigned kAttempts = 3;

  /// A slot's block is of this hash from now on. Told again, nothing changes.
  void hold(BlockId id, const std::optional<SequenceHash>& hash) {
    if (holes_ == nullptr || held_[id] == hash) return;
    if (hash) holes_->add(*hash);
    if (held_[id]) holes_->remove(*held_[id]);
    held_[id] = hash;
  }

  [[nodiscard]] BlockHint hint_of(BlockId id, std::uint32_t generation) const noexcept {
    return BlockHint(tier_, id, generation);
  }

  template <class Planner, class KeyOf>
  void apply(Planner& planner, KeyOf&& key_of, const Change& change) {
    switch (change.kind) {
      case ChangeKind::Stored:
        hold(change.id, change.hash);
        return planner.add(key_of(change.hash), hint_of(change.id, change.generation));
      case ChangeKind::Removed:
        if (holes_ != nullptr && held_[change.id] == change.hash) hold(change.id, {});
        static_cast<void>(planner.remove(key_of(change.hash), hint_of(change.id, change.generation)));
        return;
      case ChangeKind::Cleared:
        return set_to(planner, key_of, {});
    }
  }

  template <class Planner, class KeyOf>
  void resync(Planner& planner, KeyOf&& key_of) {
    const RegisteredBlocks all = registered_();
    set_to(planner, key_of, all.blocks);
    reader_.skip_to(all.number);
    stale_ = false;
  }

  /// Makes the tier's part of the planner what `blocks` says, and touches what is so already as little as possible.
  template <class Planner, class KeyOf>
  void set_to(Planner& planner, KeyOf&& key_of, std::span<const RegisteredBlocks::Block> blocks) {
    if (holes_ != nullptr) {
      std::vector<std::optional<SequenceHash>> there(blocks_);
      for (const RegisteredBlocks::Block& block : blocks) there[block.id] = block.hash;
      for (BlockId id = 0; id < blocks_; ++id) hold(id, there[id]);
    }
    std::vector<BlockHint> wanted(blocks_);
    for (const RegisteredBlocks::Block& block : blocks) wanted[block.id] = hint_of(block.id, block.generation);
    std::vector<std::pair<typename Planner::Key, BlockHint>> outdated;
    planner.for_each([&](const typename Planner::Key& key, BlockHint hint) {
      if (hint.tier() == tier_ && wanted[hint.id()] != hint) outdated.emplace_back(key, hint);
    });
    for (const auto& [key, hint] : outdated) static_cast<void>(planner.remove(key, hint));
    for (const RegisteredBlocks::Block& block : blocks) planner.add(key_of(block.hash), wanted[block.id]);
  }

  unsigned tier_;
  std::uint32_t blocks_;
  std::function<RegisteredBlocks()> registered_;
  ChangeReader reader_;
  LineageHoles* holes_;
  std::vector<std::optional<SequenceHash>> held_;  // by block, for the holes
  bool stale_ = true;                              // what the planner has of this tier is not what the log goes on from
};

}  // namespace kvbm
