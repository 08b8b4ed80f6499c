#include "bench/support/table.hpp"

#include <gtest/gtest.h>

namespace kvbm::bench {
namespace {

TEST(Table, ColumnsAreAsWideAsTheirWidestCell) {
  Table table({"name", "n"});
  table.add_rule();
  table.add_row({"a", "1"});
  table.add_rule();
  table.add_row({"longer", "23"});
  table.add_rule();

  EXPECT_EQ(table.text(),
            "name     n\n"
            "----------\n"
            "a        1\n"
            "----------\n"
            "longer  23\n");
}

TEST(Table, NumbersAreGroupedByThousands) {
  EXPECT_EQ(grouped(0), "0");
  EXPECT_EQ(grouped(999), "999");
  EXPECT_EQ(grouped(1000), "1,000");
  EXPECT_EQ(grouped(1'234'567), "1,234,567");
}

}  // namespace
}  // namespace kvbm::bench
