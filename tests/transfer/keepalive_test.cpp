#include "kvbm/transfer/keepalive.hpp"

#include <gtest/gtest.h>

#include <array>
#include <memory>
#include <type_traits>

namespace kvbm {
namespace {

static_assert(!std::is_copy_constructible_v<Keepalive> && std::is_nothrow_move_constructible_v<Keepalive>);

TEST(Keepalive, HoldsUntilItGoes) {
  auto guard = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = guard;
  {
    const Keepalive keepalive(std::move(guard));
    EXPECT_FALSE(keepalive.empty());
    EXPECT_FALSE(watched.expired());
  }
  EXPECT_TRUE(watched.expired());
}

TEST(Keepalive, MovesWhatItHolds) {
  auto guard = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = guard;
  Keepalive first(std::move(guard));
  Keepalive second(std::move(first));
  EXPECT_TRUE(first.empty());
  EXPECT_EQ(watched.use_count(), 1);

  first = std::move(second);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(**first.get<std::shared_ptr<int>>(), 7);
}

TEST(Keepalive, AssignmentDropsWhatItHeld) {
  auto guard = std::make_shared<int>(7);
  const std::weak_ptr<int> watched = guard;
  Keepalive keepalive(std::move(guard));
  keepalive = Keepalive(std::make_shared<int>(8));
  EXPECT_TRUE(watched.expired());
  Keepalive& same = keepalive;
  keepalive = std::move(same);
  EXPECT_EQ(**keepalive.get<std::shared_ptr<int>>(), 8);
}

TEST(Keepalive, ShowsItsContentToThoseWhoKnowTheType) {
  Keepalive keepalive(std::array<std::uint64_t, 16>{1, 2, 3});  // all the room there is
  EXPECT_EQ(keepalive.get<int>(), nullptr);
  ASSERT_NE((keepalive.get<std::array<std::uint64_t, 16>>()), nullptr);
  EXPECT_EQ((*keepalive.get<std::array<std::uint64_t, 16>>())[2], 3u);
  EXPECT_EQ(Keepalive().get<int>(), nullptr);
}

}  // namespace
}  // namespace kvbm
