#pragma once

#include <memory>
#include <span>
#include <vector>

#include "kvbm/layout/layout_config.hpp"
#include "kvbm/layout/page_view.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// The pages of one tier: turns a BlockId into bytes. Immutable; shared by everybody who reads or moves pages.
///
/// Made by   BlockLayout::create over memory that exists; allocate_layout (layout_memory.hpp) with memory of its own.
/// Invariant every rule of LayoutConfig holds and every cell lies within its region.
/// Threads   any.
/// Lifetime  keeps its memory alive. Its table of layer bases lives on the device once, for all kernels.
class BlockLayout {
 public:
  /// `regions`: one for FullyContiguous, one per layer otherwise, all of one kind (and device).
  /// `device` holds the table of layer bases and is needed for Pinned and Device memory; null is right for System.
  /// Errors  LayoutError, with nothing built; DeviceError for the table.
  /// Cost    waits for the device once if layers have bases of their own and the memory is not System.
  [[nodiscard]] static Result<std::shared_ptr<const BlockLayout>, LayoutError> create(const LayoutConfig& config,
                                                                                      LayoutKind kind,
                                                                                      std::vector<Memory> regions,
                                                                                      std::shared_ptr<Device> device);
  BlockLayout(BlockLayout&&) = delete;

  [[nodiscard]] const LayoutConfig& config() const noexcept { return config_; }
  [[nodiscard]] LayoutKind kind() const noexcept { return kind_; }
  [[nodiscard]] MemoryKind memory_kind() const noexcept { return memory_kind_; }
  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }
  [[nodiscard]] std::span<const Memory> regions() const noexcept { return regions_; }

  /// For the CPU, and for the copy calls of a device.
  [[nodiscard]] const PageView& host_view() const noexcept { return host_view_; }
  /// For kernels: device addresses. On pageable memory it is the host view.
  [[nodiscard]] const PageView& device_view() const noexcept { return device_view_; }

  /// The address of a cell; in an order without cells the address at which it would begin.
  /// Errors  LayoutError::IndexOutOfRange naming which index, its value and the limit.
  [[nodiscard]] Result<std::byte*, LayoutError> cell(BlockId block, std::uint32_t layer, std::uint32_t outer) const;
  /// Whether all bytes of a block are one span.
  [[nodiscard]] bool block_is_contiguous() const noexcept { return kind_ == LayoutKind::FullyContiguous; }
  /// Whether K and V of one block and layer are one span.
  [[nodiscard]] bool outer_is_contiguous() const noexcept { return kind_ != LayoutKind::LayerSeparateOuterFirst; }

 private:
  BlockLayout(const LayoutConfig& config, LayoutKind kind, std::vector<Memory> regions, std::shared_ptr<Device> device);
  void build_host_view();
  void build_device_view();

  LayoutConfig config_;
  LayoutKind kind_;
  MemoryKind memory_kind_;
  std::shared_ptr<Device> device_;
  std::vector<Memory> regions_;
  std::vector<std::byte*> layer_bases_;
  std::shared_ptr<const void> device_table_;  // null: kernels read layer_bases_, or there are no bases
  PageView host_view_;
  PageView device_view_;
};

}  // namespace kvbm
