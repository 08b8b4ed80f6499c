#include "kvbm/layout/inner_order.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <vector>

namespace kvbm {
namespace {

constexpr InnerOrder kEveryOrder[]{InnerOrder::Unknown, InnerOrder::Nhd, InnerOrder::Hnd, InnerOrder::UniversalTp,
                                   InnerOrder::UniversalPp};

/// Named and custom.
std::vector<InnerOrder> every_known_order() {
  std::vector<InnerOrder> orders;
  OrderAxes axes{Axis::Layer, Axis::Outer, Axis::TokenInBlock, Axis::Head};
  do orders.push_back(custom_order(axes).value());
  while (std::next_permutation(axes.begin(), axes.end()));
  return orders;
}

constexpr OrderAxes kTokensFirst{Axis::TokenInBlock, Axis::Head, Axis::Layer, Axis::Outer};
constexpr InnerOrder kCustom = custom_order(kTokensFirst).value();

static_assert(InnerOrder{} == InnerOrder::Unknown);
static_assert(is_custom(kCustom) && !is_operational(kCustom) && !is_universal(kCustom) && !is_made_of_cells(kCustom));
static_assert(!is_custom(InnerOrder::Unknown) && !is_custom(InnerOrder::UniversalPp));
static_assert(is_made_of_cells(InnerOrder::Unknown) && is_made_of_cells(InnerOrder::Hnd));
static_assert(!is_made_of_cells(InnerOrder::UniversalTp));
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

TEST(InnerOrder, ThereIsOneForEachPermutationOfAxes) {
  std::vector<InnerOrder> orders = every_known_order();
  for (const InnerOrder order : orders) EXPECT_EQ(custom_order(axes_of(order)), order);
  std::sort(orders.begin(), orders.end());
  EXPECT_EQ(orders.size(), 24u);
  EXPECT_EQ(std::adjacent_find(orders.begin(), orders.end()), orders.end());
  EXPECT_EQ(std::count_if(orders.begin(), orders.end(), is_custom), 20);
}

TEST(InnerOrder, AxesThatANamedOrderHasGiveThatOrder) {
  using enum Axis;
  EXPECT_EQ(custom_order({Layer, Outer, TokenInBlock, Head}), InnerOrder::Nhd);
  EXPECT_EQ(custom_order({Layer, Outer, Head, TokenInBlock}), InnerOrder::Hnd);
  EXPECT_EQ(custom_order({Head, Layer, Outer, TokenInBlock}), InnerOrder::UniversalTp);
  EXPECT_EQ(custom_order({Layer, Head, Outer, TokenInBlock}), InnerOrder::UniversalPp);
}

TEST(InnerOrder, OtherAxesAreNoOrder) {
  using enum Axis;
  EXPECT_FALSE(custom_order({Layer, Layer, TokenInBlock, Head}));
  EXPECT_FALSE(custom_order({Block, Outer, TokenInBlock, Head}));
  EXPECT_FALSE(custom_order({Layer, Outer, TokenInBlock, HeadDim}));
}

TEST(InnerOrder, CustomOrdersAreNamedByTheirAxes) {
  EXPECT_EQ(to_text(kCustom), "custom:token-head-layer-outer");
  EXPECT_EQ(shape_text(kCustom), "[tokens, heads, layers, outer, head_dim]");
  for (const InnerOrder order : every_known_order()) {
    EXPECT_EQ(parse_inner_order(to_text(order)), order);
    EXPECT_EQ(to_text(order).starts_with("custom:"), is_custom(order));
  }
  EXPECT_FALSE(parse_inner_order("custom:layer-outer-token-head"));  // which has a name
  EXPECT_FALSE(parse_inner_order("custom:token-head-layer"));
}

TEST(InnerOrder, CustomOrdersTurnIntoNothingElse) {
  for (const InnerOrder order : every_known_order()) {
    EXPECT_EQ(requires_transform(kCustom, order), order != kCustom);
    const auto none = order == kCustom ? std::optional(OrderTransform::None) : std::nullopt;
    EXPECT_EQ(transform_between(kCustom, order), none) << to_text(order);
    EXPECT_EQ(transform_between(order, kCustom), none) << to_text(order);
  }
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
