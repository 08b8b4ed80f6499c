#include "kvbm/layout/inner_order.hpp"

#include <gtest/gtest.h>

namespace kvbm {
namespace {

constexpr InnerOrder kEveryOrder[]{InnerOrder::Unknown, InnerOrder::Nhd, InnerOrder::Hnd, InnerOrder::UniversalTp,
                                   InnerOrder::UniversalPp};

static_assert(InnerOrder{} == InnerOrder::Unknown);
static_assert(is_operational(InnerOrder::Nhd) && is_operational(InnerOrder::Hnd));
static_assert(!is_operational(InnerOrder::Unknown) && !is_operational(InnerOrder::UniversalTp));
static_assert(is_universal(InnerOrder::UniversalTp) && is_universal(InnerOrder::UniversalPp));
static_assert(!is_universal(InnerOrder::Unknown) && !is_universal(InnerOrder::Hnd));

TEST(InnerOrder, EveryNameReadsBack) {
  for (InnerOrder order : kEveryOrder) EXPECT_EQ(parse_inner_order(to_text(order)), order) << to_text(order);
}

TEST(InnerOrder, OtherNamesAreNoOrder) {
  for (const char* text : {"", "NHD", "nhd ", "custom", "universal"}) EXPECT_FALSE(parse_inner_order(text)) << text;
}

TEST(InnerOrder, ShapesReadSlowestFirst) {
  EXPECT_EQ(shape_text(InnerOrder::Unknown), "[]");
  EXPECT_EQ(shape_text(InnerOrder::Nhd), "[layers, outer, tokens, heads, head_dim]");
  EXPECT_EQ(shape_text(InnerOrder::Hnd), "[layers, outer, heads, tokens, head_dim]");
  EXPECT_EQ(shape_text(InnerOrder::UniversalTp), "[heads, layers, outer, tokens, head_dim]");
  EXPECT_EQ(shape_text(InnerOrder::UniversalPp), "[layers, heads, outer, tokens, head_dim]");
}

TEST(InnerOrder, OrdersNeedATransformExactlyIfTheyDiffer) {
  for (InnerOrder source : kEveryOrder) {
    for (InnerOrder target : kEveryOrder) {
      EXPECT_EQ(requires_transform(source, target), source != target) << to_text(source) << ' ' << to_text(target);
    }
  }
}

TEST(InnerOrder, TheTransformFollowsFromBothOrders) {
  for (InnerOrder order : kEveryOrder) EXPECT_EQ(transform_between(order, order), OrderTransform::None);
  EXPECT_EQ(transform_between(InnerOrder::Nhd, InnerOrder::Hnd), OrderTransform::Transpose);
  EXPECT_EQ(transform_between(InnerOrder::Hnd, InnerOrder::Nhd), OrderTransform::Transpose);
  for (InnerOrder order : {InnerOrder::Nhd, InnerOrder::Hnd}) {
    EXPECT_EQ(transform_between(order, InnerOrder::UniversalTp), OrderTransform::ToUniversal);
    EXPECT_EQ(transform_between(InnerOrder::UniversalTp, order), OrderTransform::FromUniversal);
  }
}

TEST(InnerOrder, UnknownAndUniversalPpTurnIntoNothingElse) {
  for (InnerOrder fixed : {InnerOrder::Unknown, InnerOrder::UniversalPp}) {
    for (InnerOrder other : kEveryOrder) {
      if (other == fixed) continue;
      EXPECT_EQ(transform_between(fixed, other), std::nullopt) << to_text(other);
      EXPECT_EQ(transform_between(other, fixed), std::nullopt) << to_text(other);
    }
  }
}

TEST(InnerOrder, AMissingTransformNamesOrdersAndWidth) {
  EXPECT_EQ(no_transform_text(InnerOrder::UniversalTp, InnerOrder::UniversalPp, 2),
            "no kernel moves elements of 2 bytes from order universal-tp to order universal-pp");
}

}  // namespace
}  // namespace kvbm
