#include "src/host/pools/backends/list_backend.hpp"

#include <gtest/gtest.h>

#include <variant>
#include <vector>

#include "src/host/pools/make_backend.hpp"
#include "tests/support/backend_bench.hpp"
#include "tests/support/managers.hpp"

// The cases of logical.md 18.15 and 187-188 that hold for every order are in backend_conformance_test.cpp.

namespace kvbm {
namespace {

using test::hash;
using Ids = std::vector<BlockId>;

TEST(ListBackend, EvictsTheLeastRecentlyReleased) {  // logical.md 18.16 case 187
  test::BackendBench bench(4, std::make_unique<ListBackend>());
  for (BlockId id = 1; id <= 3; ++id) bench.insert(hash(id), id);

  EXPECT_EQ(bench.evict(1), Ids{1});
  EXPECT_TRUE(bench.has(hash(2)));
  EXPECT_TRUE(bench.has(hash(3)));
}

TEST(ListBackend, IsBothFifoAndLru) {
  const auto fifo = make_backend(FifoEviction{}, nullptr);
  const auto lru = make_backend(LruEviction{}, nullptr);

  EXPECT_NE(dynamic_cast<ListBackend*>(fifo.get()), nullptr);
  EXPECT_NE(dynamic_cast<ListBackend*>(lru.get()), nullptr);
}

TEST(ListBackend, KnowsNoParents) {
  test::BackendBench bench(8, std::make_unique<ListBackend>());
  const auto chain = test::chain(1, 4);

  bench.insert(chain, 0);

  EXPECT_FALSE(bench.backend().uses_lineage());
  EXPECT_EQ(bench.evict_all(), (Ids{0, 1, 2, 3}));  // parents before their children
}

TEST(ListBackend, TakesOutTheFirstTheLastAndTheOnlyBlock) {
  test::BackendBench bench(4, std::make_unique<ListBackend>());
  for (BlockId id = 0; id < 3; ++id) bench.insert(hash(id), id);

  ASSERT_TRUE(bench.take(hash(0), 0));
  ASSERT_TRUE(bench.take(hash(2), 2));
  ASSERT_TRUE(bench.take(hash(1), 1));
  EXPECT_EQ(bench.size(), 0u);

  bench.insert(hash(2), 2);
  bench.insert(hash(0), 0);
  EXPECT_EQ(bench.evict_all(), (Ids{2, 0}));
}

/// A run is released last block first, so the head of a prefix outlives its tail even in an order without lineage.
TEST(ListBackend, ARunLosesItsTailFirst) {
  const auto manager = test::manager({.blocks = 4, .tokens_per_block = 4, .eviction = LruEviction{}});
  const auto chain = test::chain(1, 4);
  { const auto run = test::registered(manager, chain); }

  const auto allocation = manager.allocate_with_evictions(1);

  EXPECT_EQ(allocation->evicted, std::vector{chain[3]});
  EXPECT_EQ(manager.match_blocks(chain).size(), 3u);
}

}  // namespace
}  // namespace kvbm
