#include "kernels/table_update.cuh"

#include <gtest/gtest.h>

#include "tests/lookup/planner_cases.hpp"

namespace kvbm {
namespace {

// What a device does with a planner's batches, on the host: the copy answers as the planner's own table, header and
// all.
TEST(TableUpdate, AppliedBatchByBatchItKeepsACopyEqual) {
  std::mt19937_64 random(5);
  PrefixPlanner<kernels::FingerprintSlot> planner({.keys = 300});
  std::vector<kernels::TableWord> copy;
  for (int batch = 0; batch < 60; ++batch) {
    for (int i = 0; i < 20; ++i) {
      const std::uint64_t number = random() % 600;
      const auto key = test::table_key<kernels::FingerprintSlot>(number);
      const BlockHint hint(0, static_cast<BlockId>(number), 0);
      if (!planner.remove(key, hint)) planner.add(key, hint);
    }
    const TableChanges changes = planner.commit();
    const auto words = planner.table()->words();
    if (changes.replaced) copy.assign(words.begin(), words.end());
    const kernels::TableUpdate update{copy.data(), changes.places.data(), changes.words.data(),
                                      static_cast<std::uint32_t>(changes.places.size()), changes.epoch};
    kernels::MarkEpoch{update, false}();
    for (std::uint32_t i = update.count; i-- > 0;) kernels::ScatterWord{update}(i);
    kernels::MarkEpoch{update, true}();

    ASSERT_TRUE(std::equal(copy.begin(), copy.end(), words.begin(), words.end())) << "batch " << batch;
  }
}

}  // namespace
}  // namespace kvbm
