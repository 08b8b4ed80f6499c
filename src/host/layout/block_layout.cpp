#include "kvbm/layout/block_layout.hpp"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <string>
#include <utility>

#include "layout/device_table.hpp"
#include "layout/layout_error.hpp"
#include "layout/strides.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;

std::string region_name(std::size_t index) { return "region " + std::to_string(index); }

Result<void, LayoutError> check_each_region(const LayoutConfig& config, std::uint64_t needed,
                                            std::span<const Memory> regions) {
  const Region& first = regions.front().region();
  for (std::size_t i = 0; i < regions.size(); ++i) {
    const Region& region = regions[i].region();
    if (region.kind != first.kind || region.device != first.device) {
      return fail(LayoutError{Code::MixedMemoryKinds, region_name(i) + " is of another kind or device than region 0"});
    }
    if (region.bytes < needed) {
      return fail(numbers_error(Code::RegionTooSmall, "bytes of " + region_name(i), needed, region.bytes));
    }
    const auto address = reinterpret_cast<std::uintptr_t>(region.address);
    if (address % config.alignment != 0) {
      return fail(numbers_error(Code::Misaligned, "alignment of " + region_name(i), config.alignment,
                                address & (~address + 1)));
    }
  }
  return {};
}

Result<void, LayoutError> check_disjoint(std::uint64_t needed, std::span<const Memory> regions) {
  std::vector<std::byte*> bases;
  for (const Memory& region : regions) bases.push_back(region.address());
  std::sort(bases.begin(), bases.end(), std::less<>());
  for (std::size_t i = 1; i < bases.size(); ++i) {
    const auto distance = static_cast<std::uint64_t>(bases[i] - bases[i - 1]);
    if (distance < needed) {
      return fail(numbers_error(Code::RegionsOverlap, "bytes between the bases of two layers", needed, distance));
    }
  }
  return {};
}

Result<void, LayoutError> check_device(const Region& region, const Device* device) {
  if (region.kind == MemoryKind::System) return {};
  if (device == nullptr) return fail(no_device_error());
  const int ordinal = device->capabilities().ordinal;
  if (region.kind == MemoryKind::Device && region.device != ordinal) {
    return fail(LayoutError{Code::MixedMemoryKinds, "the memory is of device " + std::to_string(region.device) +
                                                        ", the layout of device " + std::to_string(ordinal)});
  }
  return {};
}

Result<void, LayoutError> check_regions(const LayoutConfig& config, LayoutKind kind, std::span<const Memory> regions,
                                        const Device* device) {
  if (regions.empty()) return fail(LayoutError{Code::NoRegion, "a layout needs at least one region"});
  const std::size_t count = region_count(config, kind);
  if (regions.size() != count) {
    return fail(numbers_error(Code::RegionCountMismatch, "regions", count, regions.size()));
  }
  const std::uint64_t needed = region_bytes_needed(config, kind);
  if (auto checked = check_each_region(config, needed, regions); !checked) return checked;
  if (auto checked = check_disjoint(needed, regions); !checked) return checked;
  return check_device(regions.front().region(), device);
}

// Where kernels find pinned memory, which may have been pinned in several pieces.
std::byte* device_base(Device& device, const Region& region) {
  auto* const first = static_cast<std::byte*>(device.device_address(region.address));
  auto* const last = static_cast<std::byte*>(device.device_address(region.address + region.bytes - 1));
  if (last != first + region.bytes - 1) {
    throw DeviceError(DeviceError::Kind::Refused, "the device does not see pinned memory of " +
                                                      std::to_string(region.bytes) + " bytes as one piece");
  }
  return first;
}

}  // namespace

Result<std::shared_ptr<const BlockLayout>, LayoutError> BlockLayout::create(const LayoutConfig& config, LayoutKind kind,
                                                                            std::vector<Memory> regions,
                                                                            std::shared_ptr<Device> device) {
  if (auto checked = check_config(config, kind); !checked) return fail(checked.error());
  if (auto checked = check_regions(config, kind, regions, device.get()); !checked) return fail(checked.error());
  std::shared_ptr<BlockLayout> layout(new BlockLayout(config, kind, std::move(regions), std::move(device)));
  layout->build_host_view();
  layout->build_device_view();
  return std::shared_ptr<const BlockLayout>(std::move(layout));
}

BlockLayout::BlockLayout(const LayoutConfig& config, LayoutKind kind, std::vector<Memory> regions,
                         std::shared_ptr<Device> device)
    : config_(config),
      kind_(kind),
      memory_kind_(regions.front().region().kind),
      device_(std::move(device)),
      regions_(std::move(regions)) {}

void BlockLayout::build_host_view() {
  host_view_ = strides_of(config_, kind_);
  if (kind_ == LayoutKind::FullyContiguous) {
    host_view_.base = regions_.front().address();
    return;
  }
  for (const Memory& region : regions_) layer_bases_.push_back(region.address());
  host_view_.layer_bases = layer_bases_.data();
}

void BlockLayout::build_device_view() {
  device_view_ = host_view_;
  if (memory_kind_ == MemoryKind::System) return;
  std::vector<std::byte*> bases;
  for (const Memory& region : regions_) {
    bases.push_back(memory_kind_ == MemoryKind::Pinned ? device_base(*device_, region.region()) : region.address());
  }
  if (kind_ == LayoutKind::FullyContiguous) {
    device_view_.base = bases.front();
    return;
  }
  const std::shared_ptr<std::byte* const> table = upload_table(device_, bases);
  device_view_.layer_bases = table.get();
  device_table_ = table;
}

Result<std::byte*, LayoutError> BlockLayout::cell(BlockId block, std::uint32_t layer, std::uint32_t outer) const {
  if (auto checked = check_indices(config_, block, layer, outer); !checked) return fail(checked.error());
  return host_view_.cell(block, layer, outer);
}

}  // namespace kvbm
