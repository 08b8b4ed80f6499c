#pragma once

#include <cstdint>

#include "kvbm/device/device.hpp"
#include "kvbm/memory/region.hpp"

namespace kvbm {

enum class Direction : std::uint8_t { HostToDevice, DeviceToHost, DeviceToDevice, HostToHost };

/// Who moves the bytes, and which ways it has.
enum class TransferPath : std::uint8_t {
  HostCopy,       ///< the CPU
  Device,         ///< the device, by copy calls or kernels
  KernelsOnly,    ///< the device, by kernels: one side is pageable memory that it reaches
  ThroughPinned,  ///< the CPU copies between pageable memory and a pinned ring, the device moves the rest
};

struct Strategy {
  Direction direction;
  TransferPath path;

  friend constexpr bool operator==(Strategy, Strategy) = default;
};

/// The way between two kinds of memory. Total: there is one for each pair.
[[nodiscard]] constexpr Strategy strategy_between(MemoryKind source, MemoryKind target,
                                                  const DeviceCapabilities& capabilities) noexcept {
  const bool from_device = source == MemoryKind::Device;
  const bool to_device = target == MemoryKind::Device;
  if (from_device && to_device) return {Direction::DeviceToDevice, TransferPath::Device};
  if (!from_device && !to_device) return {Direction::HostToHost, TransferPath::HostCopy};
  const Direction direction = to_device ? Direction::HostToDevice : Direction::DeviceToHost;
  const MemoryKind host_side = to_device ? source : target;
  if (host_side == MemoryKind::Pinned) return {direction, TransferPath::Device};
  return {direction, capabilities.coherent_host ? TransferPath::KernelsOnly : TransferPath::ThroughPinned};
}

[[nodiscard]] constexpr const char* name_of(MemoryKind kind) noexcept {
  switch (kind) {
    case MemoryKind::System:
      return "System";
    case MemoryKind::Pinned:
      return "Pinned";
    case MemoryKind::Device:
      return "Device";
  }
  return "?";
}

}  // namespace kvbm
