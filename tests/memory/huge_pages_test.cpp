#include "src/host/memory/huge_pages.hpp"

#include <gtest/gtest.h>

#include <new>

#include "tests/support/allocation_faults.hpp"
#include "tests/support/temporary_folder.hpp"

namespace kvbm {
namespace {

constexpr std::size_t kMiB = 1 << 20;

class HugePagePools : public testing::Test {
 protected:
  void add(const std::string& size, const std::string& unused, const std::string& reserved) {
    const std::string folder = "/sys/kernel/mm/hugepages/hugepages-" + size;
    root_.write(folder + "/free_hugepages", unused);
    root_.write(folder + "/resv_hugepages", reserved);
  }

  test::TemporaryFolder root_;
};

TEST_F(HugePagePools, AreNoneWithoutSysfs) { EXPECT_TRUE(huge_page_pools(root_.path()).empty()); }

TEST_F(HugePagePools, OfSeveralSizesAreInOrder) {
  add("1048576kB", "2\n", "0\n");
  add("2048kB", "512\n", "12\n");

  const std::vector<HugePagePool> pools = huge_page_pools(root_.path());

  ASSERT_EQ(pools.size(), 2u);
  EXPECT_EQ(pools[0].page_bytes, 2 * kMiB);
  EXPECT_EQ(pools[0].pages_free, 500u);  // the others are promised
  EXPECT_EQ(pools[1].page_bytes, 1024 * kMiB);
  EXPECT_EQ(pools[1].pages_free, 2u);
}

TEST_F(HugePagePools, ThatAreEmptyOrMalformedHaveNoPage) {
  add("2048kB", "0\n", "0\n");
  add("1048576kB", "many\n", "\n");
  add("64kB", "3 or so\n", "0\n");
  add("16384kB", "1\n", "2\n");
  add("3kB", "9\n", "0\n");     // no power of two
  add("oddkB", "9\n", "0\n");   // no size
  add("2048MB", "9\n", "0\n");  // no unit known

  const std::vector<HugePagePool> pools = huge_page_pools(root_.path());

  EXPECT_EQ(pools.size(), 4u);
  for (const HugePagePool& pool : pools) EXPECT_EQ(pool.pages_free, 0u) << pool.page_bytes;
}

TEST_F(HugePagePools, AreRefusedWithoutMemoryRatherThanEndingTheProgram) {
  add("2048kB", "512\n", "12\n");
  for (std::size_t n = 0;; ++n) {
    const test::AllocationFault fault(n);
    try {
      EXPECT_LE(huge_page_pools(root_.path()).size(), 1u) << n;
    } catch (const std::bad_alloc&) {
      EXPECT_TRUE(fault.fired()) << n;
    }
    if (!fault.fired()) break;
    ASSERT_LT(n, 1000u);
  }
}

TEST(HugePageChoice, IsTheSmallestSizeWithEnoughPages) {
  const std::vector<HugePagePool> pools{{2 * kMiB, 4}, {1024 * kMiB, 2}};

  EXPECT_EQ(huge_page_for(pools, 1), 2 * kMiB);
  EXPECT_EQ(huge_page_for(pools, 8 * kMiB), 2 * kMiB);
  EXPECT_EQ(huge_page_for(pools, 8 * kMiB + 1), 1024 * kMiB);
  EXPECT_EQ(huge_page_for(pools, 2048 * kMiB + 1), std::nullopt);
  EXPECT_EQ(huge_page_for({}, 1), std::nullopt);
  EXPECT_EQ(huge_page_for(pools, SIZE_MAX), std::nullopt);
}

TEST(TransparentHugePages, AreCountedWhereTheyOverlap) {
  const std::string smaps =
      "1000000-3000000 rw-p 00000000 00:00 0\n"
      "Size:              32768 kB\n"
      "AnonHugePages:      8192 kB\n"
      "VmFlags: rd wr mr mw me ac sd hg\n"
      "5000000-6000000 rw-p 00000000 00:00 0        [heap]\n"
      "AnonHugePages:      4096 kB\n"
      "FilePmdMapped:      2048 kB\n";

  EXPECT_EQ(transparent_huge_bytes(smaps, 0x1000000, 0x3000000), 8 * kMiB);
  EXPECT_EQ(transparent_huge_bytes(smaps, 0x0, 0x9000000), 12 * kMiB);
  EXPECT_EQ(transparent_huge_bytes(smaps, 0x2f00000, 0x4000000), kMiB);  // grown together with a neighbour
  EXPECT_EQ(transparent_huge_bytes(smaps, 0x3000000, 0x5000000), 0u);
}

TEST(TransparentHugePages, OfATextThatIsNoneAreNone) {
  EXPECT_EQ(transparent_huge_bytes("", 0, SIZE_MAX), 0u);
  EXPECT_EQ(transparent_huge_bytes("AnonHugePages: 5 kB\nAnonHugePages:\nabc-\n-", 0, SIZE_MAX), 0u);
}

}  // namespace
}  // namespace kvbm
