#include "kvbm/base/result.hpp"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace kvbm {
namespace {

using Owned = std::unique_ptr<int>;

Result<int, std::string> half(int number) {
  if (number % 2 != 0) return fail("odd: " + std::to_string(number));
  return number / 2;
}

Result<void, std::string> require_even(int number) {
  if (number % 2 != 0) return fail(std::string("odd"));
  return {};
}

TEST(Result, HoldsTheValueOfASuccess) {
  const Result<int, std::string> result = half(8);

  ASSERT_TRUE(result);
  EXPECT_TRUE(result.has_value());
  EXPECT_EQ(result.value(), 4);
  EXPECT_EQ(*result, 4);
}

TEST(Result, HoldsTheReasonOfAFailure) {
  const Result<int, std::string> result = half(7);

  ASSERT_FALSE(result);
  EXPECT_FALSE(result.has_value());
  EXPECT_EQ(result.error(), "odd: 7");
}

TEST(Result, TellsValueAndErrorOfTheSameTypeApart) {
  const Result<int, int> success = 1;
  const Result<int, int> failure = fail(1);

  EXPECT_TRUE(success);
  EXPECT_FALSE(failure);
}

TEST(Result, GivesAMoveOnlyValueAway) {
  Result<Owned, std::string> result = std::make_unique<int>(5);

  const Owned taken = *std::move(result);

  EXPECT_EQ(*taken, 5);
}

TEST(Result, ArrowReachesIntoTheValue) {
  Result<std::string, int> result = std::string("four");

  result->push_back('!');

  EXPECT_EQ(result->size(), 5u);
}

TEST(Result, GivesAMoveOnlyErrorAway) {
  Result<int, Owned> result = fail(std::make_unique<int>(9));

  const Owned taken = std::move(result).error();

  EXPECT_EQ(*taken, 9);
}

TEST(Result, OfNothingIsASuccessByDefault) {
  EXPECT_TRUE(require_even(2));
  ASSERT_FALSE(require_even(3));
  EXPECT_EQ(require_even(3).error(), "odd");
}

TEST(Result, RefusedCarriesTheGuardBack) {
  Result<int, Refused<Owned, int>> result = fail(Refused<Owned, int>{16, std::make_unique<int>(3)});

  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().error, 16);
  EXPECT_EQ(*result.error().block, 3);
}

TEST(ResultDeathTest, ValueOfAFailureAborts) { EXPECT_DEATH((void)half(1).value(), "value of a failed Result"); }

TEST(ResultDeathTest, ErrorOfASuccessAborts) {
  EXPECT_DEATH((void)half(2).error(), "error of a successful Result");
  EXPECT_DEATH((void)require_even(2).error(), "error of a successful Result");
}

}  // namespace
}  // namespace kvbm
