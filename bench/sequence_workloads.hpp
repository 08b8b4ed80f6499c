#pragma once

#include <optional>
#include <vector>

#include "bench/workloads.hpp"
#include "kvbm/manager/block_manager.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"

namespace kvbm::bench {

/// Sequences of 16 tokens per block behind a prompt of a given length, one for each thread.
class OnSequences : public Workload {
 protected:
  static constexpr std::size_t kOutputMax = 1u << 14;

  /// Errors  std::invalid_argument if the pool is too small.
  OnSequences(const WorkloadOptions& options, std::size_t tokens);

  [[nodiscard]] SchedulableSequence<G1> prefilled(unsigned thread) const;
  [[nodiscard]] SchedulableSequence<G1>& sequence(unsigned thread) { return *sequences_[thread].value; }
  /// Starts again where the sequence has come to its end.
  void renew_if_complete(unsigned thread, std::size_t wanted);

  const std::size_t tokens_;
  const BlockManager<G1> manager_;

 private:
  struct alignas(128) Apart {
    std::optional<SchedulableSequence<G1>> value;
  };
  std::vector<Apart> sequences_;
};

/// Schedules and applies a decode step. Items are steps.
class DecodeStep final : public OnSequences {
 public:
  DecodeStep(const WorkloadOptions& options, std::size_t tokens) : OnSequences(options, tokens) {}
  std::uint64_t step(unsigned thread) override;
};

/// The same with five drafts, of which two are accepted.
class SpeculativeStep final : public OnSequences {
 public:
  SpeculativeStep(const WorkloadOptions& options, std::size_t tokens) : OnSequences(options, tokens) {}
  std::uint64_t step(unsigned thread) override;
};

/// Forks a sequence with a tail to copy, and drops the fork. Items are forks.
class ForkStep final : public OnSequences {
 public:
  ForkStep(const WorkloadOptions& options, std::size_t tokens) : OnSequences(options, tokens + 5) {}
  std::uint64_t step(unsigned thread) override;
};

}  // namespace kvbm::bench
