#include <gtest/gtest.h>

#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/allocation_faults.hpp"
#include "tests/transfer/planned_layouts.hpp"

// Once as many transfers have been under way as ever will be, submitting one takes no memory from the heap.

namespace kvbm {
namespace {

constexpr LayoutConfig kConfig{
    .blocks = 4096, .layers = 80, .outer = 2, .tokens = 16, .inner = 1024, .heads = 8, .element_bytes = 2};

class SubmitPath : public testing::TestWithParam<Mechanism> {
 protected:
  [[nodiscard]] bool allocates(const std::shared_ptr<const BlockLayout>& source,
                               const std::shared_ptr<const BlockLayout>& target, TransferRequest request) {
    request.source = source;
    request.target = target;
    request.blocks = blocks_;
    const test::AllocationFault fault(0);
    try {
      engine_.submit(std::move(request)).value().wait();
    } catch (const std::bad_alloc&) {
      return true;
    }
    return fault.fired();
  }

  std::shared_ptr<Device> device_ = std::make_shared<test::IdleDevice>();
  TransferEngine engine_{device_, {.transfers_max = 4, .calibrate = false}};
  std::shared_ptr<const BlockLayout> cache_ = test::planned_layout(
      device_, kConfig, LayoutKind::LayerSeparateBlockFirst, MemoryKind::Device, std::uintptr_t{1} << 40);
  std::shared_ptr<const BlockLayout> store_ =
      test::planned_layout(device_, kConfig, LayoutKind::FullyContiguous, MemoryKind::Pinned, std::uintptr_t{2} << 40);
  std::vector<BlockPair> blocks_ = [] {
    std::vector<BlockPair> blocks;
    for (BlockId block = 0; block < 64; ++block) blocks.push_back({block * 3, 4095 - block * 2});
    return blocks;
  }();
};

INSTANTIATE_TEST_SUITE_P(Every, SubmitPath,
                         testing::Values(Mechanism::Copies, Mechanism::BatchedCopy, Mechanism::CopyKernel,
                                         Mechanism::BulkCopyKernel, Mechanism::Staged),
                         [](const auto& info) { return to_text(info.param); });

TEST_P(SubmitPath, TakesNothingFromTheHeap) {
  const Stream stream(device_, StreamPriority::Normal, "test");
  const StreamView after[]{stream.view(), stream.view()};
  const auto submit = [&] {
    return allocates(store_, cache_, {.after_streams = after, .mechanism = GetParam()}) ||
           allocates(cache_, store_, {.priority = TransferPriority::OnDemand, .mechanism = GetParam()}) ||
           allocates(store_, cache_, {.layers = LayerRange{10, 20}, .layer_events = true, .mechanism = GetParam()});
  };
  for (int i = 0; i < 6; ++i) static_cast<void>(submit());  // states, events and marks are made on the way

  for (int i = 0; i < 20; ++i) EXPECT_FALSE(submit());
}

TEST_P(SubmitPath, TheFirstOneMakesItsStateAndIsSeen) {
  EXPECT_TRUE(allocates(store_, cache_, {.mechanism = GetParam()}));
}

}  // namespace
}  // namespace kvbm
