#include <gtest/gtest.h>

#include <cstdint>
#include <cstring>
#include <memory>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "kernels/page_checksum.hpp"
#include "kernels/page_fill.hpp"
#include "kvbm/device/emulated_device.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "tests/support/guarded_pages.hpp"
#include "tests/support/host_memory.hpp"
#include "tests/support/pinned_bytes.hpp"

// 6.7: pages of every tier, filled and summed up by kernels on a device

namespace kvbm::kernels {
namespace {

using test::GuardedPages;
using test::kEveryLayoutKind;

constexpr LayoutConfig kTierPages{.blocks = 6, .layers = 3, .outer = 2, .tokens = 3, .inner = 7, .element_bytes = 1};
constexpr MemoryKind kTiers[]{MemoryKind::System, MemoryKind::Pinned, MemoryKind::Device};

class PagesOfEveryTier : public testing::Test {
 protected:
  template <class Visit>
  void for_each_place(const Visit& visit) {
    for (const MemoryKind memory : kTiers) {
      for (const LayoutKind kind : kEveryLayoutKind) {
        SCOPED_TRACE(testing::Message() << "memory " << static_cast<int>(memory) << ", kind "
                                        << static_cast<int>(kind));
        GuardedPages pages(device_, kTierPages, {kind, memory, 5});
        visit(pages);
      }
    }
  }
  [[nodiscard]] const BlockId* on_device(const std::vector<BlockId>& blocks) {
    lists_.push_back(std::make_unique<test::PinnedBytes>(device_, blocks.size() * sizeof(BlockId)));
    std::memcpy(lists_.back()->data(), blocks.data(), blocks.size() * sizeof(BlockId));
    return reinterpret_cast<const BlockId*>(lists_.back()->data());
  }
  void run(const KernelCall& call) {
    device_->launch(call, stream_.view());
    device_->synchronize(stream_.view());
  }

  std::shared_ptr<Device> device_ = EmulatedDevice::create();
  Stream stream_{device_, StreamPriority::Normal, "test"};
  std::vector<std::unique_ptr<test::PinnedBytes>> lists_;
  std::mt19937_64 random_{11};
};

TEST_F(PagesOfEveryTier, AreFilledByLayersAndNothingBesideThem) {
  for_each_place([&](GuardedPages& pages) {
    auto expected = pages.fill(random_);
    for (const BlockId block : {4u, 1u}) {
      for (std::uint32_t layer = 0; layer < 3; ++layer) {
        for (std::uint32_t outer = 0; outer < 2; ++outer) {
          const GuardedPages::Position at = pages.cell(block, layer, outer);
          for (std::uint32_t byte = 0; byte < 21; ++byte) {
            const bool constant = block == 4 && layer == 1;
            expected[at.region][at.offset + byte] =
                static_cast<std::uint8_t>(constant ? 0xA5 : block + layer + outer * 21 + byte);
          }
        }
      }
    }
    const PageView view = pages.layout()->device_view();

    run(fill_pages({view, on_device({4, 1}), 2, {0, 3}, FillPattern::Sequential, 0}));
    run(fill_pages({view, on_device({4}), 1, {1, 2}, FillPattern::Constant, 0xA5}));

    EXPECT_EQ(pages.read(), expected);
  });
}

TEST_F(PagesOfEveryTier, HaveTheSumOfTheirContentWhereverItIs) {
  std::set<std::uint64_t> sums_of_page_2;
  for_each_place([&](GuardedPages& pages) {
    const PageView view = pages.layout()->device_view();
    const test::PinnedBytes sums(device_, 3 * sizeof(std::uint64_t));
    auto* const sum = reinterpret_cast<std::uint64_t*>(sums.data());

    run(fill_pages({view, on_device({0, 1, 2, 3, 4, 5}), 6, {0, 3}, FillPattern::Random, 77}));
    run(checksum_pages({view, on_device({5, 2, 0}), 3, {0, 3}, sum}));

    sums_of_page_2.insert(sum[1]);
    EXPECT_EQ(sum[0], page_checksum(pages.layout()->host_view(), 5, {0, 3}));  // emulated memory is the host's
    EXPECT_NE(sum[0], sum[1]);
    EXPECT_NE(sum[1], sum[2]);
  });
  EXPECT_EQ(sums_of_page_2.size(), 1u);
}

}  // namespace
}  // namespace kvbm::kernels
