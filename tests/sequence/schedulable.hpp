#pragma once

#include <gtest/gtest.h>

#include <string>
#include <utility>
#include <vector>

#include "tests/sequence/sequences.hpp"

namespace kvbm::test {

using Schedulable = SchedulableSequence<G1>;

/// A manager of 20 blocks of 4 tokens, and sequences whose prompt is 0, 1, 2, ...
class SchedulableBase {
 protected:
  [[nodiscard]] virtual SequenceOptions options_for(std::size_t max_output) const { return options(max_output); }
  virtual ~SchedulableBase() = default;

  [[nodiscard]] Schedulable sequence(std::size_t tokens, std::size_t max_output = 10) const {
    return Schedulable(counting_tokens(0, tokens), options_for(max_output), delegate_);
  }
  /// After its whole prompt, and the token that came of it.
  [[nodiscard]] Schedulable prefilled(std::size_t tokens, std::size_t max_output = 10) const {
    Schedulable made = sequence(tokens, max_output);
    EXPECT_TRUE(made.schedule_prefill(tokens, manager_).has_value());
    EXPECT_TRUE(made.apply_prefill(1000, manager_).has_value());
    return made;
  }
  DecodeOutcome decode(Schedulable& sequence, Token token = 2000) const {
    EXPECT_TRUE(sequence.schedule_decode(manager_).has_value());
    return sequence.apply_decode(token, manager_).value();
  }
  DecodeOutcome speculate(Schedulable& sequence, std::size_t drafts, std::size_t accepted) const {
    EXPECT_TRUE(sequence.schedule_speculative(drafts, manager_).has_value());
    return sequence.apply_speculative(counting_tokens(3000, accepted), manager_).value();
  }

  const BlockManager<G1> manager_ = manager({.blocks = 20, .tokens_per_block = kB});
  const std::shared_ptr<RecordingDelegate> delegate_ = std::make_shared<RecordingDelegate>();
};

/// What holds in both ways of publishing.
class SchedulableBothWays : public SchedulableBase, public testing::TestWithParam<bool> {
 protected:
  [[nodiscard]] SequenceOptions options_for(std::size_t max_output) const override {
    return GetParam() ? options(max_output).as_reference() : options(max_output);
  }
};

inline std::string way_name(const testing::TestParamInfo<bool>& way) { return way.param ? "AsReference" : "Default"; }

class SchedulableDefault : public SchedulableBase, public testing::Test {};

class SchedulableAsReference : public SchedulableBase, public testing::Test {
 protected:
  [[nodiscard]] SequenceOptions options_for(std::size_t max_output) const override {
    return options(max_output).as_reference();
  }
};

/// Whether a result failed for this reason.
template <class Reason, class Outcome>
[[nodiscard]] bool failed_for(const Outcome& outcome, const Reason& reason) {
  if (outcome.has_value()) return false;
  const Reason* actual = outcome.error().template get_if<Reason>();
  return actual != nullptr && *actual == reason && !outcome.error().text().empty();
}

}  // namespace kvbm::test
