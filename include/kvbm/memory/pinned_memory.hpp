#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kvbm/device/device.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// Whether pinned memory is made of pages that the administrator set aside as huge.
enum class HugePages : std::uint8_t {
  Disabled,    ///< ordinary pages only
  BestEffort,  ///< from the set-aside pool if it has enough, else the kernel is asked for transparent ones
  Required,    ///< from the set-aside pool, or not at all
};

/// What pages the memory consists of, for the larger part.
enum class PageClass : std::uint8_t { Ordinary, TransparentHuge, ExplicitHuge };

struct PinnedMemoryOptions {
  std::size_t block_bytes = 1;  ///< no block of this size, counted from the start, lies in two registrations
  std::size_t registration_bytes_max = std::size_t{64} << 30;
  HugePages huge_pages = HugePages::BestEffort;
  std::optional<int> numa_node{};  ///< absent: the device's; -1: wherever the kernel likes
  unsigned threads = 0;            ///< that touch it first; 0: this device's share of the node's CPUs, 16 at most
  bool write_combined = false;     ///< slow to read for the CPU; taken from the driver
  std::string system_root{};       ///< what stands before /sys and /proc; for tests
};

/// How pinned memory was made.
struct PinnedMemoryReport {
  struct Registration {
    std::size_t offset;
    std::size_t bytes;
    int numa_node;  ///< where its pages are, as far as a sample of them shows; -1: unknown
  };
  std::size_t bytes = 0;  ///< taken from the system: a whole number of pages
  PageClass page_class = PageClass::Ordinary;
  bool from_driver = false;  ///< allocated by the driver rather than mapped and registered
  int numa_node_wanted = -1;
  unsigned threads = 0;
  std::vector<Registration> registrations;
  double map_seconds = 0, touch_seconds = 0, register_seconds = 0;
};

/// Host memory that the device reaches, zeroed: mapped, touched first by threads on the device's NUMA node, and
/// registered piece by piece. From the driver where the device registers no memory, and for write_combined.
///
/// Lifetime  keeps the device alive. The memory must not go while a transfer uses it. Should the device refuse to let
///           go of a piece, the mapping is left in place for good.
/// Errors    std::invalid_argument for zero bytes or blocks that no registration can hold; std::system_error if the
///           system has no memory, no thread or, with Required, no huge pages; DeviceError if the device refuses.
///           Nothing is left behind. What concerns NUMA nodes fails in silence: the report shows what came out.
/// Cost      seconds per 100 GiB; not for hot paths.
[[nodiscard]] Memory allocate_pinned(std::shared_ptr<Device> device, std::size_t bytes,
                                     const PinnedMemoryOptions& options = {}, PinnedMemoryReport* report = nullptr);

}  // namespace kvbm
