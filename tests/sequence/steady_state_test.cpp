#include <gtest/gtest.h>

#include "tests/sequence/schedulable.hpp"
#include "tests/support/allocation_faults.hpp"

// A step in the steady state takes no memory from the heap, and what runs out of memory loses nothing.
namespace kvbm::test {
namespace {

/// Refuses the very first allocation within a scope, and says whether there was one.
template <class Work>
[[nodiscard]] bool allocates(Work&& work) {
  const AllocationFault fault(0);
  try {
    work();
  } catch (const std::bad_alloc&) {
    return true;
  }
  return fault.fired();
}

class SteadyState : public testing::Test {
 protected:
  [[nodiscard]] Schedulable prefilled(std::size_t tokens, std::size_t max_output) const {
    Schedulable made(counting_tokens(0, tokens), options(max_output));
    EXPECT_TRUE(made.schedule_prefill(tokens, manager_).has_value());
    EXPECT_TRUE(made.apply_prefill(1, manager_).has_value());
    return made;
  }
  const BlockManager<G1> manager_ = manager({.blocks = 4096, .tokens_per_block = kB});
};

TEST_F(SteadyState, DecodingAllocatesNothing) {
  Schedulable sequence = prefilled(10, 5000);

  EXPECT_FALSE(allocates([&] {
    for (Token token = 0; token < 4000; ++token) {
      ASSERT_TRUE(sequence.schedule_decode(manager_).has_value());
      ASSERT_TRUE(sequence.apply_decode(token, manager_).has_value());
    }
  }));
  EXPECT_EQ(sequence.assigned_blocks(), 1002u);
}

TEST_F(SteadyState, SpeculatingAllocatesNothing) {
  Schedulable sequence = prefilled(10, 5000);
  const std::vector<Token> accepted(3, 9);

  EXPECT_FALSE(allocates([&] {
    for (int step = 0; step < 1000; ++step) {
      ASSERT_TRUE(sequence.schedule_speculative(8, manager_).has_value());
      ASSERT_TRUE(sequence.apply_speculative(accepted, manager_).has_value());
    }
  }));
}

TEST_F(SteadyState, ChunkedPrefillAllocatesNothing) {
  Schedulable sequence(counting_tokens(0, 8000), options(10));

  EXPECT_FALSE(allocates([&] {
    for (int chunk = 0; chunk < 79; ++chunk) {
      ASSERT_TRUE(sequence.schedule_prefill(101, manager_).has_value());
      ASSERT_TRUE(sequence.apply_prefill(std::nullopt, manager_).has_value());
    }
  }));
}

TEST_F(SteadyState, PreemptionAllocatesNothing) {
  Schedulable sequence = prefilled(4000, 10);

  EXPECT_FALSE(allocates([&] {
    for (int times = 0; times < 10; ++times) {
      ASSERT_TRUE(sequence.release().has_value());
      ASSERT_TRUE(sequence.reacquire(manager_).value());
    }
  }));
}

/// The exception is real: beyond what room was made for, tokens take more.
TEST_F(SteadyState, SaveBeyondTheExpectedLength) {
  Schedulable sequence = prefilled(4, RequestTokens::kReservedTokensMax + 10);
  ASSERT_TRUE(sequence.append_tokens(std::vector<Token>(RequestTokens::kReservedTokensMax - 2)).has_value());

  EXPECT_TRUE(allocates([&] { static_cast<void>(sequence.append_tokens(std::vector<Token>(10))); }));
}

TEST_F(SteadyState, AForkThatRunsOutOfMemoryLosesNothing) {
  const Schedulable sequence = prefilled(10, 100);
  const std::uint32_t before = manager_.available_blocks();

  for (std::size_t n = 0;; ++n) {
    const AllocationFault fault(n);
    try {
      static_cast<void>(sequence.fork(manager_));
    } catch (const std::bad_alloc&) {
    }
    ASSERT_EQ(manager_.available_blocks(), before);
    if (!fault.fired()) break;
  }
  EXPECT_EQ(sequence.assigned_blocks(), 2u);
}

}  // namespace
}  // namespace kvbm::test
