#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/manager/block_manager.hpp"
#include "kvbm/registry/frequency_tracker.hpp"

namespace kvbm::test {

/// A manager with small defaults where the options leave something out: 10 blocks of 4 tokens, a registry of its own.
template <class Tier = G1>
[[nodiscard]] BlockManager<Tier> manager(ManagerOptions options = {.tokens_per_block = 4}) {
  if (!options.blocks) options.blocks = 10;
  if (!options.registry) options.registry = BlockRegistry();
  Result<BlockManager<Tier>, InvalidOptions> made = BlockManager<Tier>::create(std::move(options));
  KVBM_ASSERT(made.has_value(), "the test's options are invalid");
  return std::move(*made);
}

/// A root's hash, different for different numbers.
[[nodiscard]] inline SequenceHash hash(std::uint64_t number) {
  std::uint64_t mixed = (number + 1) * 0x9E37'79B9'7F4A'7C15u;
  mixed = (mixed ^ (mixed >> 32)) * 0xD6E8'FEB8'6659'FD93u;
  return SequenceHash::root(mixed ^ (mixed >> 29));
}

/// One sequence: a root and its descendants, position 0 first.
[[nodiscard]] inline std::vector<SequenceHash> chain(std::uint64_t number, std::size_t length) {
  std::vector<SequenceHash> hashes;
  for (SequenceHash next = hash(number); hashes.size() < length; next = next.extend(number * 1000 + hashes.size())) {
    hashes.push_back(next);
  }
  return hashes;
}

template <class Tier>
[[nodiscard]] CompleteBlock<Tier> stage(MutableBlock<Tier> block, const SequenceHash& hash) {
  const std::uint32_t tokens = block.tokens_per_block();
  return std::move(std::move(block).stage(hash, tokens)).value();
}

/// Allocates, stages and registers one block.
template <class Tier>
[[nodiscard]] ImmutableBlock<Tier> registered(const BlockManager<Tier>& manager, const SequenceHash& hash) {
  return manager.register_block(stage(std::move(manager.allocate_block()).value(), hash));
}

/// Allocates, stages and registers a run.
template <class Tier>
[[nodiscard]] BlockRun<ImmutableBlock<Tier>> registered(const BlockManager<Tier>& manager,
                                                        std::span<const SequenceHash> hashes) {
  auto run = std::move(manager.allocate(static_cast<std::uint32_t>(hashes.size()))).value();
  return manager.register_blocks(std::move(std::move(run).stage(hashes, manager.tokens_per_block())).value());
}

/// Passes everything on and counts the calls' elements.
class CountingTracker final : public FrequencyTracker {
 public:
  explicit CountingTracker(std::shared_ptr<FrequencyTracker> inner = std::make_shared<NoFrequencyTracker>())
      : inner_(std::move(inner)) {}

  using FrequencyTracker::touch;
  void touch(std::span<const SequenceHash> hashes) noexcept override {
    touches_ += hashes.size();
    inner_->touch(hashes);
  }
  [[nodiscard]] std::uint32_t count(SequenceHash hash) const noexcept override {
    ++counts_;
    return inner_->count(hash);
  }

  [[nodiscard]] std::size_t touches() const noexcept { return touches_; }
  [[nodiscard]] std::size_t counts() const noexcept { return counts_; }
  void reset() noexcept { touches_ = counts_ = 0; }

 private:
  std::shared_ptr<FrequencyTracker> inner_;
  std::atomic<std::size_t> touches_{0};
  mutable std::atomic<std::size_t> counts_{0};
};

}  // namespace kvbm::test
