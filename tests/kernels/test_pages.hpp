#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <random>
#include <span>
#include <vector>

#include "kvbm/layout/layout_config.hpp"
#include "kvbm/layout/page_view.hpp"
#include "tests/kernels/host_world.hpp"

namespace kvbm::test {

struct PageShape {
  LayoutKind kind = LayoutKind::FullyContiguous;
  std::uint32_t blocks = 4;
  std::uint32_t layers = 3;
  std::uint32_t outer = 2;
  std::uint64_t cell_bytes = 64;
  std::size_t misalignment = 0;  ///< of every base, past a multiple of 256
};

/// Pages of a world, poisoned, with guard bytes around every region. What a kernel should have written is written to
/// `expected` by its cells, and compared byte for byte, guards and all.
class TestPages {
 public:
  template <class World>
  TestPages(World& world, const PageShape& shape) : shape_(shape) {
    const bool contiguous = shape.kind == LayoutKind::FullyContiguous;
    const std::size_t regions = contiguous ? 1 : shape.layers;
    const std::size_t region_bytes =
        shape.blocks * shape.outer * shape.cell_bytes * (contiguous ? shape.layers : 1) + 2 * kGuardBytes;
    region_bytes_ = (region_bytes + shape.misalignment + 255) / 256 * 256;
    bytes_ = {world.allocate(regions * region_bytes_), regions * region_bytes_};
    std::memset(bytes_.data(), 0xDE, bytes_.size());
    set_view(contiguous);
    if (contiguous) return;
    std::vector<std::byte*> bases;
    for (std::size_t i = 0; i < regions; ++i) bases.push_back(view_.base + i * region_bytes_);
    view_.layer_bases = copied_to(world, bases);
    view_.base = nullptr;
  }

  const PageView& view() const { return view_; }
  const PageShape& shape() const { return shape_; }
  std::span<std::byte> bytes() { return bytes_; }

  /// Random content, the same for the same seed in every kind of layout.
  void randomize(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    for_each_cell([&](std::byte* cell, BlockId, std::uint32_t, std::uint32_t) {
      for (std::uint64_t i = 0; i < shape_.cell_bytes; i += 8) {
        const std::uint64_t bytes = random();
        std::memcpy(cell + i, &bytes, std::min<std::uint64_t>(8, shape_.cell_bytes - i));
      }
    });
  }

  template <class Visitor>
  void for_each_cell(const Visitor& visit) {
    for (BlockId block = 0; block < shape_.blocks; ++block) {
      for (std::uint32_t layer = 0; layer < shape_.layers; ++layer) {
        for (std::uint32_t outer = 0; outer < shape_.outer; ++outer) {
          visit(view_.cell(block, layer, outer), block, layer, outer);
        }
      }
    }
  }

  /// The bytes as they are now, to be changed into what they should become.
  std::vector<std::byte> snapshot() const { return {bytes_.begin(), bytes_.end()}; }
  /// Where an address lies in a snapshot.
  std::size_t place(const std::byte* address) const { return static_cast<std::size_t>(address - bytes_.data()); }

  void expect_equal(const std::vector<std::byte>& expected, const char* what = "") const {
    if (std::memcmp(bytes_.data(), expected.data(), bytes_.size()) == 0) return;
    for (std::size_t i = 0; i < bytes_.size(); ++i) {
      ASSERT_EQ(bytes_[i], expected[i]) << what << " byte " << i << " of " << bytes_.size();
    }
  }

 private:
  static constexpr std::size_t kGuardBytes = 256;

  void set_view(bool contiguous) {
    const std::uint64_t cell = shape_.cell_bytes;
    view_.base = bytes_.data() + kGuardBytes + shape_.misalignment;
    view_.cell_bytes = cell;
    view_.layers = shape_.layers;
    view_.outer = shape_.outer;
    view_.outer_stride = cell;
    view_.block_stride = cell * shape_.outer;
    if (contiguous) {
      view_.layer_stride = cell * shape_.outer;
      view_.block_stride = view_.layer_stride * shape_.layers;
    } else if (shape_.kind == LayoutKind::LayerSeparateOuterFirst) {
      view_.block_stride = cell;
      view_.outer_stride = cell * shape_.blocks;
    }
  }

  PageShape shape_;
  std::size_t region_bytes_ = 0;
  std::span<std::byte> bytes_;
  PageView view_;
};

inline constexpr LayoutKind kEveryKind[]{LayoutKind::FullyContiguous, LayoutKind::LayerSeparateBlockFirst,
                                         LayoutKind::LayerSeparateOuterFirst};

}  // namespace kvbm::test
