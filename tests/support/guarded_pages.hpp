#pragma once

#include <cstdint>
#include <memory>
#include <random>
#include <span>
#include <vector>

#include "kvbm/device/device.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/layout/block_pair.hpp"
#include "kvbm/transfer/axis_slice.hpp"

namespace kvbm::test {

/// The pages of a layout in memory of any kind, with guard bytes around each region, read and written as a whole. Knows
/// where bytes belong by formulas of its own.
class GuardedPages {
 public:
  using Bytes = std::vector<std::uint8_t>;
  static constexpr std::size_t kGuard = 48;

  struct Place {
    LayoutKind kind = LayoutKind::FullyContiguous;
    MemoryKind memory = MemoryKind::Device;
    std::size_t shift = 0;  ///< of every base, from an address that is a multiple of 256
  };

  GuardedPages(std::shared_ptr<Device> device, const LayoutConfig& config, Place place);

  [[nodiscard]] const std::shared_ptr<const BlockLayout>& layout() const noexcept { return layout_; }
  [[nodiscard]] const LayoutConfig& config() const noexcept { return layout_->config(); }
  [[nodiscard]] const Place& place() const noexcept { return place_; }

  /// Random bytes everywhere, guards included. Returns them: a vector for each region.
  std::vector<Bytes> fill(std::mt19937_64& random);
  /// Waits for nothing: what the device still has to do with the memory must be over.
  [[nodiscard]] std::vector<Bytes> read() const;
  void write(const std::vector<Bytes>& content);

  /// Where something lies: a region, and an offset in what read() gives of it.
  struct Position {
    std::size_t region;
    std::size_t offset;
  };
  /// Of an address within one of the layout's regions.
  [[nodiscard]] Position at(const std::byte* address) const;
  [[nodiscard]] Position cell(BlockId block, std::uint32_t layer, std::uint32_t outer) const;
  /// A row of head_dim elements, of pages in `order`.
  [[nodiscard]] Position row(InnerOrder order, BlockId block, std::uint32_t layer, std::uint32_t outer,
                             std::uint32_t token, std::uint32_t head) const;

 private:
  std::shared_ptr<Device> device_;
  Place place_;
  std::vector<Memory> memory_;  // of each region, guards included
  std::shared_ptr<const BlockLayout> layout_;
};

/// What `target` holds after the named layers of the blocks were copied into it.
[[nodiscard]] std::vector<GuardedPages::Bytes> copied(const GuardedPages& source,
                                                      const std::vector<GuardedPages::Bytes>& source_content,
                                                      const GuardedPages& target,
                                                      std::vector<GuardedPages::Bytes> target_content,
                                                      std::span<const BlockPair> blocks, LayerRange layers);

/// The same with every row of head_dim elements moved from its place in one order to its place in another.
[[nodiscard]] std::vector<GuardedPages::Bytes> permuted(const GuardedPages& source, InnerOrder source_order,
                                                        const std::vector<GuardedPages::Bytes>& source_content,
                                                        const GuardedPages& target, InnerOrder target_order,
                                                        std::vector<GuardedPages::Bytes> target_content,
                                                        std::span<const BlockPair> blocks, LayerRange layers);

/// The same with those elements moved that slices of both views name, each from the address that one view has for it to
/// that of the other.
[[nodiscard]] std::vector<GuardedPages::Bytes> sliced(const GuardedPages& source,
                                                      const std::vector<GuardedPages::Bytes>& source_content,
                                                      const GuardedPages& target,
                                                      std::vector<GuardedPages::Bytes> target_content,
                                                      std::span<const BlockPair> blocks,
                                                      std::span<const AxisSlice> slices);

/// `count` pairs of distinct sources and distinct targets below `blocks`, in random order.
[[nodiscard]] std::vector<BlockPair> random_pairs(std::uint32_t blocks, std::uint32_t count, std::mt19937_64& random);

}  // namespace kvbm::test
