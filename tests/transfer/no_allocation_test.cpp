#include <gtest/gtest.h>

#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/transfer/planned_layouts.hpp"

// After the first few transfers submitting one takes no memory from the heap.

namespace kvbm {
namespace {

constexpr LayoutConfig kPages{
    .blocks = 4096, .layers = 80, .outer = 2, .tokens = 16, .inner = 1024, .heads = 8, .element_bytes = 2};

class SubmitPath : public testing::TestWithParam<Mechanism> {
 protected:
  void submit(const std::shared_ptr<const BlockLayout>& source, const std::shared_ptr<const BlockLayout>& target,
              TransferRequest request) {
    request.source = source;
    request.target = target;
    request.blocks = blocks_;
    request.mechanism = GetParam();
    engine_.submit(std::move(request)).value().wait();
  }
  /// Both ways, by layers, behind streams.
  void submit_all() {
    const StreamView after[]{StreamView(nullptr), StreamView(nullptr)};
    const AxisSlice slices[]{{Axis::Layer, 10, 20, 30}};
    submit(store_, cache_, {.after_streams = after});
    submit(cache_, store_, {.priority = TransferPriority::OnDemand});
    submit(store_, cache_, {.layers = LayerRange{10, 20}, .layer_events = true});
    submit(store_, cache_, {.slices = slices});
  }
  template <class Work>
  [[nodiscard]] static bool allocates(const Work& work) {
    const test::AllocationFault fault(0);
    try {
      work();
    } catch (const std::bad_alloc&) {
      return true;
    }
    return fault.fired();
  }

  std::shared_ptr<Device> device_ = std::make_shared<test::IdleDevice>();
  TransferEngine engine_{device_, {.transfers_max = 4, .calibrate = false}};
  std::shared_ptr<const BlockLayout> cache_ = test::planned_layout(device_, kPages, LayoutKind::LayerSeparateBlockFirst,
                                                                   MemoryKind::Device, std::uintptr_t{1} << 40);
  std::shared_ptr<const BlockLayout> store_ =
      test::planned_layout(device_, kPages, LayoutKind::FullyContiguous, MemoryKind::Pinned, std::uintptr_t{2} << 40);
  std::vector<BlockPair> blocks_ = [] {
    std::vector<BlockPair> blocks;
    for (BlockId block = 0; block < 64; ++block) blocks.push_back({block * 3, 4095 - block * 2});
    return blocks;
  }();
};

INSTANTIATE_TEST_SUITE_P(Every, SubmitPath,
                         testing::Values(Mechanism::Copies, Mechanism::BatchedCopy, Mechanism::CopyKernel,
                                         Mechanism::BulkCopyKernel, Mechanism::Staged),
                         [](const auto& every) { return to_text(every.param); });

TEST_P(SubmitPath, TakesNothingFromTheHeap) {
  for (int i = 0; i < 10; ++i) submit_all();  // events and marks are made on the way
  for (int i = 0; i < 20; ++i) EXPECT_FALSE(allocates([&] { submit_all(); }));
}

TEST_P(SubmitPath, MakesTheMarksOfItsFirstRequestAndIsSeen) {
  EXPECT_TRUE(allocates([&] { submit_all(); }));
}

}  // namespace
}  // namespace kvbm
