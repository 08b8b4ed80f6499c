#include "kvbm/memory/arena.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <stdexcept>
#include <thread>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {
namespace {

constexpr std::size_t kArenaPage = 4096;

Arena arena_of(std::size_t pages) { return Arena(allocate_system(pages * kArenaPage), kArenaPage); }

TEST(Arena, OfOddPagesOrNoneIsRefused) {
  EXPECT_THROW(Arena(allocate_system(kArenaPage), 0), std::invalid_argument);
  EXPECT_THROW(Arena(allocate_system(kArenaPage), 3000), std::invalid_argument);
  EXPECT_THROW(Arena(allocate_system(kArenaPage), 2 * kArenaPage), std::invalid_argument);
}

TEST(Arena, OfMorePagesThan32BitsCountIsRefused) {
  std::byte somewhere{};
  const Region huge{.address = &somewhere, .bytes = std::size_t{1} << 45};

  EXPECT_THROW(Arena(borrow_memory(huge), kArenaPage), std::invalid_argument);
}

TEST(Arena, GivesWhatIsAskedForOnWholePages) {
  Arena arena = arena_of(8);
  const auto first = arena.allocate(1), second = arena.allocate(kArenaPage + 1), third = arena.allocate(5 * kArenaPage);

  ASSERT_TRUE(first && second && third);
  EXPECT_EQ(first->bytes(), 1u);
  EXPECT_EQ(second->bytes(), kArenaPage + 1);
  EXPECT_EQ(second->address() - first->address(), static_cast<std::ptrdiff_t>(kArenaPage));
  EXPECT_EQ(third->address() - first->address(), static_cast<std::ptrdiff_t>(3 * kArenaPage));
  EXPECT_EQ(arena.free_bytes(), 0u);
  EXPECT_FALSE(arena.allocate(1));
}

TEST(Arena, RefusesZeroBytesAndMoreThanThereIs) {
  Arena arena = arena_of(8);

  EXPECT_THROW(static_cast<void>(arena.allocate(0)), std::invalid_argument);
  EXPECT_FALSE(arena.allocate(8 * kArenaPage + 1));
  EXPECT_FALSE(arena.allocate(SIZE_MAX));
  EXPECT_EQ(arena.free_bytes(), 8 * kArenaPage);
}

TEST(Arena, JustOverHalfFitsOnce) {
  Arena arena = arena_of(8);

  const auto first = arena.allocate(4 * kArenaPage + 1);
  EXPECT_TRUE(first);
  EXPECT_FALSE(arena.allocate(4 * kArenaPage + 1));
}

TEST(Arena, UsesPagesAgain) {
  Arena arena = arena_of(8);
  std::byte* address = nullptr;
  {
    const auto dropped = arena.allocate(8 * kArenaPage);
    address = dropped->address();
    EXPECT_FALSE(arena.allocate(1));
  }

  EXPECT_EQ(arena.allocate(8 * kArenaPage)->address(), address);
}

TEST(Arena, JoinsFreePagesInWhateverOrderTheyComeBack) {
  for (const auto& order :
       std::vector<std::vector<std::size_t>>{{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}}) {
    Arena arena = arena_of(6);
    std::vector<std::optional<Memory>> pieces;
    for (int i = 0; i < 3; ++i) pieces.push_back(arena.allocate(2 * kArenaPage));

    for (const std::size_t i : order) pieces[i].reset();

    EXPECT_EQ(arena.largest_free_bytes(), 6 * kArenaPage);
  }
}

TEST(Arena, PiecesKeepTheRegionAlive) {
  const auto device = EmulatedDevice::create();
  {
    std::optional<Memory> piece;
    {
      Arena arena(allocate_device(device, 4 * kArenaPage), kArenaPage);
      piece = arena.allocate(kArenaPage)->part(8, 8);
    }
    EXPECT_EQ(device->device_bytes(), 4 * kArenaPage);
    EXPECT_EQ(piece->region().kind, MemoryKind::Device);
  }
  EXPECT_EQ(device->device_bytes(), 0u);
}

TEST(Arena, CutsPinnedMemory) {
  Arena arena(allocate_pinned(EmulatedDevice::create(), 4 * kArenaPage), kArenaPage);

  EXPECT_EQ(arena.allocate(kArenaPage)->region().kind, MemoryKind::Pinned);
}

TEST(Arena, PiecesNeverOverlapAndNothingIsLost) {
  const std::size_t pages = 500;
  const std::uint32_t seed = std::random_device()();
  std::mt19937 random(seed);
  Arena arena = arena_of(pages);
  std::map<std::byte*, Memory> pieces;
  std::size_t taken = 0;
  for (int step = 0; step < 20'000; ++step) {
    if (random() % 2 == 0 || pieces.empty()) {
      const std::size_t wanted = 1 + random() % (random() % 8 == 0 ? 120 : 12);
      const std::size_t longest = arena.largest_free_bytes();
      auto piece = arena.allocate(wanted * kArenaPage);
      ASSERT_EQ(piece.has_value(), wanted * kArenaPage <= longest) << "seed " << seed;
      if (!piece) continue;
      taken += wanted;
      const auto [place, is_new] = pieces.emplace(piece->address(), *piece);
      ASSERT_TRUE(is_new) << "seed " << seed;
      if (place != pieces.begin()) {
        const Memory& before = std::prev(place)->second;
        ASSERT_LE(before.address() + before.bytes(), piece->address()) << "seed " << seed;
      }
      if (std::next(place) != pieces.end()) {
        ASSERT_LE(piece->address() + piece->bytes(), std::next(place)->first) << "seed " << seed;
      }
    } else {
      const auto place = std::next(pieces.begin(), static_cast<std::ptrdiff_t>(random() % pieces.size()));
      taken -= place->second.bytes() / kArenaPage;
      pieces.erase(place);
    }
    ASSERT_EQ(arena.free_bytes(), (pages - taken) * kArenaPage) << "seed " << seed;
  }
  pieces.clear();
  EXPECT_EQ(arena.largest_free_bytes(), pages * kArenaPage) << "seed " << seed;
}

TEST(Arena, ServesManyThreads) {
  Arena arena = arena_of(64);
  {
    std::vector<std::jthread> threads;
    for (unsigned thread = 0; thread < 4; ++thread) {
      threads.emplace_back([&arena, thread] {
        for (std::size_t i = 0; i < 2000; ++i) {
          const auto piece = arena.allocate((1 + (i * 7 + thread) % 20) * kArenaPage);
          if (!piece) continue;
          piece->address()[0] = std::byte(thread);
          ASSERT_EQ(piece->address()[0], std::byte(thread));
        }
      });
    }
  }
  EXPECT_EQ(arena.largest_free_bytes(), 64 * kArenaPage);
}

}  // namespace
}  // namespace kvbm
