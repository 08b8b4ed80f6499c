#include "src/host/pools/id_lender.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <vector>

#include "tests/support/allocation_faults.hpp"

namespace kvbm {
namespace {

constexpr std::uint32_t kRegion = 1u << 18;  // what a lender for no blocks has

/// Writes all places of a loan, so that two loans that overlap do not both keep what was written.
void fill(const IdLender::Loan& loan, BlockId mark) { std::fill_n(loan.ids, loan.capacity, mark); }
bool is_filled(const IdLender::Loan& loan, BlockId mark) {
  return std::all_of(loan.ids, loan.ids + loan.capacity, [&](BlockId id) { return id == mark; });
}

TEST(IdLender, LendsPowersOfTwo) {
  IdLender lender(100);
  const std::vector<std::pair<std::uint32_t, std::uint32_t>> sizes{{0, 16},  {1, 16},  {16, 16},    {17, 32},
                                                                   {32, 32}, {33, 64}, {1000, 1024}};
  for (const auto& [count, capacity] : sizes) {
    const IdLender::Loan loan = lender.borrow(count);
    EXPECT_EQ(loan.capacity, capacity) << count;
    lender.give_back(loan);
  }
}

TEST(IdLender, LendsTheLastOneReturnedFirst) {
  IdLender lender(100);
  const IdLender::Loan a = lender.borrow(16), b = lender.borrow(16), other = lender.borrow(32);
  lender.give_back(a);
  lender.give_back(b);
  lender.give_back(other);

  EXPECT_EQ(lender.borrow(10).ids, b.ids);
  EXPECT_EQ(lender.borrow(10).ids, a.ids);
  EXPECT_EQ(lender.borrow(20).ids, other.ids);
}

TEST(IdLender, CountsLoans) {
  IdLender lender(0);
  const IdLender::Loan small = lender.borrow(1);
  const IdLender::Loan large = lender.borrow(2 * kRegion);  // from the heap
  EXPECT_EQ(lender.lent(), 2u);

  lender.give_back(small);
  lender.give_back(large);
  EXPECT_EQ(lender.lent(), 0u);
}

TEST(IdLender, LoansDoNotOverlap) {
  std::mt19937 random(5);
  IdLender lender(0);
  struct Lent {
    IdLender::Loan loan;
    BlockId mark;
  };
  std::vector<Lent> lent;

  for (BlockId step = 0; step < 3000; ++step) {
    if (random() % 5 < 3 && lent.size() < 200) {
      lent.push_back({lender.borrow(static_cast<std::uint32_t>(random() % 4000)), step});
      fill(lent.back().loan, step);
    } else if (!lent.empty()) {
      const std::size_t i = random() % lent.size();
      ASSERT_TRUE(is_filled(lent[i].loan, lent[i].mark));
      lender.give_back(lent[i].loan);
      lent[i] = lent.back();
      lent.pop_back();
    }
  }
  EXPECT_EQ(lender.lent(), lent.size());
  for (const Lent& last : lent) {
    EXPECT_TRUE(is_filled(last.loan, last.mark));
    lender.give_back(last.loan);
  }
}

TEST(IdLender, TurnsToTheHeapWhenTheRegionIsLent) {
  IdLender lender(0);
  const IdLender::Loan all = lender.borrow_from_region(kRegion);
  ASSERT_NE(all.ids, nullptr);
  EXPECT_EQ(lender.borrow_from_region(1).ids, nullptr);
  EXPECT_EQ(lender.lent(), 1u);

  const IdLender::Loan heap = lender.borrow(5);
  ASSERT_NE(heap.ids, nullptr);
  EXPECT_EQ(heap.capacity, 16u);
  fill(heap, 7);
  lender.give_back(heap);
  EXPECT_EQ(lender.borrow_from_region(1).ids, nullptr);  // what came from the heap went there

  lender.give_back(all);
  EXPECT_EQ(lender.borrow_from_region(kRegion).ids, all.ids);
}

TEST(IdLender, ARefusedLoanChangesNothing) {
  IdLender lender(0);
  const IdLender::Loan all = lender.borrow(kRegion);
  {
    const test::AllocationFault fault(0);
    EXPECT_THROW(static_cast<void>(lender.borrow(1)), std::bad_alloc);
  }
  EXPECT_EQ(lender.lent(), 1u);
  lender.give_back(all);
}

TEST(IdLender, TheRegionServesWithoutTheHeap) {
  IdLender lender(64);
  const test::AllocationFault fault(0);
  for (int round = 0; round < 1000; ++round) {
    const IdLender::Loan a = lender.borrow(64), b = lender.borrow(64), c = lender.borrow(1000);
    lender.give_back(b);
    lender.give_back(a);
    lender.give_back(c);
  }
  EXPECT_FALSE(fault.fired());
}

TEST(IdLender, KnowsWhenASmallerArrayWouldDo) {
  EXPECT_FALSE(IdLender::wasteful(0, 16));
  EXPECT_FALSE(IdLender::wasteful(16, 16));
  EXPECT_TRUE(IdLender::wasteful(16, 32));
  EXPECT_FALSE(IdLender::wasteful(17, 32));
  EXPECT_TRUE(IdLender::wasteful(17, 64));
}

}  // namespace
}  // namespace kvbm
