#include <gtest/gtest.h>

#include <new>
#include <optional>

#include "kvbm/memory/arena.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/support/zeroed_memory_faults.hpp"

namespace kvbm {
namespace {

constexpr std::size_t kFaultPage = 4096;

/// Makes an arena and takes a piece while allocation n fails. Whether it came to that; what failed has done nothing.
bool is_refused(std::size_t n) {
  const auto owner = std::make_shared<int>();
  const Memory region = allocate_system(8 * kFaultPage);
  const Memory lent = borrow_memory(region.region(), owner);
  std::optional<Arena> arena;
  std::optional<Memory> piece;
  bool threw = false;
  bool fired = false;
  {
    const test::AllocationFault fault(n);
    try {
      arena.emplace(lent, kFaultPage);
      piece = arena->allocate(3 * kFaultPage);
    } catch (const std::bad_alloc&) {
      threw = true;
    }
    fired = fault.fired();
  }
  EXPECT_EQ(threw, fired) << n;
  if (arena) {
    EXPECT_EQ(arena->free_bytes(), piece ? 5 * kFaultPage : 8 * kFaultPage) << n;
  } else {
    EXPECT_EQ(owner.use_count(), 2) << n;  // ours and that of `lent`
  }
  return fired;
}

TEST(ArenaWithoutMemory, HasDoneNothing) {
  const std::size_t callocs = test::refused_callocs();
  std::size_t n = 0;
  for (;; ++n) {
    const std::int64_t before = test::live_allocations();
    const bool came_to_it = is_refused(n);
    EXPECT_EQ(test::live_allocations(), before) << n;
    if (!came_to_it || testing::Test::HasFailure()) break;
  }
  EXPECT_GE(n, 3u);
  EXPECT_EQ(test::refused_callocs(), callocs + 1);  // the table of its pages
}

}  // namespace
}  // namespace kvbm
