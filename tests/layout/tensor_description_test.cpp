#include "kvbm/layout/tensor_description.hpp"

#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "kvbm/device/emulated_device.hpp"
#include "kvbm/layout/block_layout.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;

TensorDescription shaped(std::vector<std::uint64_t> shape, std::vector<std::int64_t> strides) {
  static std::byte somewhere;
  return {.address = &somewhere, .shape = std::move(shape), .strides = std::move(strides)};
}

LayoutError refused_tensors(const std::vector<TensorDescription>& tensors) { return regions_of(tensors).error(); }

TEST(TensorDescription, CountsItsElements) {
  EXPECT_EQ(shaped({}, {}).elements(), 1u);
  EXPECT_EQ(shaped({5}, {1}).elements(), 5u);
  EXPECT_EQ(shaped({3, 0, 4}, {0, 4, 1}).elements(), 0u);
  EXPECT_EQ(shaped({2, 3, 4, 5}, {60, 20, 5, 1}).elements(), 120u);
  EXPECT_FALSE(shaped({std::uint64_t{1} << 32, std::uint64_t{1} << 32}, {1, 1}).elements());
}

TEST(TensorDescription, IsContiguousIfElementsLieEndToEnd) {
  EXPECT_TRUE(shaped({}, {}).is_contiguous());
  EXPECT_TRUE(shaped({5}, {1}).is_contiguous());
  EXPECT_TRUE(shaped({3, 4}, {4, 1}).is_contiguous());
  EXPECT_TRUE(shaped({2, 3, 4, 5}, {60, 20, 5, 1}).is_contiguous());
  EXPECT_FALSE(shaped({5}, {2}).is_contiguous());
  EXPECT_FALSE(shaped({3, 4}, {1, 3}).is_contiguous());
  EXPECT_FALSE(shaped({3, 4}, {8, 1}).is_contiguous());
  EXPECT_FALSE(shaped({5}, {-1}).is_contiguous());
  EXPECT_FALSE(shaped({3, 4}, {1}).is_contiguous());
}

TEST(TensorDescription, StridesOfExtentOneDoNotMatter) {
  EXPECT_TRUE(shaped({1, 3, 1, 4}, {-7, 4, 99, 1}).is_contiguous());
  EXPECT_FALSE(shaped({1, 3, 1, 4}, {12, 5, 4, 1}).is_contiguous());
}

TEST(TensorRegions, AreTheBytesOfTheTensorsAndKeepTheirOwners) {
  const auto owner = std::make_shared<int>();
  TensorDescription tensor = shaped({3, 4}, {4, 1});
  tensor.device = 2;
  tensor.owner = owner;

  {
    const auto regions = regions_of(std::vector{tensor, tensor}).value();

    ASSERT_EQ(regions.size(), 2u);
    EXPECT_EQ(regions[1].region(), (Region{tensor.address, 24, MemoryKind::Device, 2}));
    EXPECT_EQ(owner.use_count(), 4);
  }
  EXPECT_EQ(owner.use_count(), 2);
}

TEST(TensorRegions, NeedOneTensor) { EXPECT_EQ(refused_tensors({}).code, Code::NoRegion); }

TEST(TensorRegions, AreDeviceMemory) {
  const TensorDescription good = shaped({4}, {1});
  TensorDescription host = good;
  host.kind = MemoryKind::System;

  EXPECT_EQ(refused_tensors({good, host}).code, Code::NotDeviceMemory);
  EXPECT_EQ(refused_tensors({good, host}).text, "tensor 1 is not device memory");
}

TEST(TensorRegions, AreOfOneDevice) {
  TensorDescription other = shaped({4}, {1});
  other.device = 1;

  const LayoutError error = refused_tensors({shaped({4}, {1}), other});
  EXPECT_EQ(error.code, Code::MixedMemoryKinds);
  EXPECT_EQ(error.text, "tensor 1 is on device 1, tensor 0 on device 0");
}

TEST(TensorRegions, AreContiguous) { EXPECT_EQ(refused_tensors({shaped({4, 2}, {3, 1})}).code, Code::NotContiguous); }

TEST(TensorRegions, HaveBytesThatCanBeCounted) {
  constexpr std::uint64_t kHalf = std::uint64_t{1} << 63;
  EXPECT_EQ(refused_tensors({shaped({kHalf}, {1})}).code, Code::SizeOverflow);  // of 2 bytes each
  EXPECT_EQ(refused_tensors({shaped({0}, {1})}).code, Code::RegionTooSmall);
}

TEST(TensorRegions, MakeALayout) {
  const std::shared_ptr<Device> device = EmulatedDevice::create();
  const Memory memory = allocate_device(device, 2 * 4096);
  const LayoutConfig config{.blocks = 4, .layers = 2, .outer = 2, .tokens = 16, .inner = 16};
  std::vector<TensorDescription> tensors;
  for (std::size_t layer = 0; layer < 2; ++layer) {
    tensors.push_back({.address = memory.address() + layer * 4096,
                       .shape = {2, 4, 16, 16},
                       .strides = {1024, 256, 16, 1},
                       .device = device->capabilities().ordinal,
                       .owner = std::make_shared<Memory>(memory)});
  }

  const auto layout =
      BlockLayout::create(config, LayoutKind::LayerSeparateOuterFirst, regions_of(tensors).value(), device);

  ASSERT_TRUE(layout) << layout.error().text;
  EXPECT_EQ((*layout)->cell(1, 1, 1).value(), memory.address() + 4096 + 2048 + 512);
}

}  // namespace
}  // namespace kvbm
