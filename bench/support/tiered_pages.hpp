#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/layout/block_layout.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm::bench {

/// The pages of two tiers: G1's in a device's memory, G2's in pinned memory. A filled page carries a pattern of its
/// block's hash and of the place within the page, whatever its layout.
///
/// Shape    cells [layers, 2] of page_bytes / layers / 2 bytes.
/// Threads  one at a time.
/// Errors   DeviceError; std::bad_alloc.
class TieredPages {
 public:
  struct Shape {
    std::uint32_t g1_blocks;
    std::uint32_t g2_blocks;
    std::uint32_t layers;
    std::size_t page_bytes;  ///< a multiple of page_bytes_unit(layers)
    LayoutKind g1_layout;
  };

  /// Each cell is a whole number of 16-byte words.
  [[nodiscard]] static constexpr std::size_t page_bytes_unit(std::uint32_t layers) {
    return std::size_t{16} * 2 * layers;
  }

  TieredPages(std::shared_ptr<Device> device, const Shape& shape);

  [[nodiscard]] const std::shared_ptr<const BlockLayout>& g1() const noexcept { return g1_; }
  [[nodiscard]] const std::shared_ptr<const BlockLayout>& g2() const noexcept { return g2_; }

  /// Writes pages of G1. When it returns, the bytes are there.
  void fill_g1(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes);
  /// How many of the pages are not, to the byte, what fill_g1() wrote for these hashes.
  [[nodiscard]] std::uint64_t corrupt_in_g1(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes);
  [[nodiscard]] std::uint64_t corrupt_in_g2(std::span<const BlockId> blocks,
                                            std::span<const SequenceHash> hashes) const;

 private:
  enum class Direction : std::uint8_t { ToScratch, FromScratch };
  void move_scratch(std::span<const BlockId> blocks, Direction direction);

  const std::shared_ptr<Device> device_;
  const bool host_reaches_g1_;
  const std::shared_ptr<const BlockLayout> g1_;
  const std::shared_ptr<const BlockLayout> g2_;
  const std::shared_ptr<const BlockLayout> scratch_;  // pinned pages through which the host sees a GPU's; else null
  const Stream stream_;
};

}  // namespace kvbm::bench
