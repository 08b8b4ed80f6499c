#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kvbm/device/device.hpp"

namespace kvbm {

/// The calls of a device that a fault can hit, counted apart, from 1.
enum class FaultKind : std::uint8_t { Copy, Allocation, Launch, Event };

/// What happens at the `n`-th call of one kind.
struct DeviceFault {
  enum class Effect : std::uint8_t {
    Refuse,  ///< the call throws; nothing is enqueued or allocated
    Late,    ///< the work runs long after everything else that may run before it
    Break,   ///< the work fails when it runs: half of a copy is written, and the device is broken from then on
  };
  FaultKind kind;
  std::uint64_t n;
  Effect effect = Effect::Refuse;
};

struct EmulatedDeviceOptions {
  std::uint64_t memory_bytes = 0;             ///< device memory; 0: as much as the host has
  std::optional<std::uint64_t> delay_seed{};  ///< work is late, and streams overtake one another, as the seed decides
  std::vector<DeviceFault> faults{};
  bool batched_copy = true;
  bool bulk_copy = true;
  bool coherent_host = false;
  bool host_register = true;
};

/// How many calls of each kind a device has seen, to aim faults at.
struct DeviceCallCounts {
  std::uint64_t copies = 0, allocations = 0, launches = 0, events = 0;
};

/// A device made of CPU threads and host memory: streams are queues that threads empty, so copies are late, overlap,
/// and finish out of order across streams; kernels run as their host functor. For machines without a GPU and for tests
/// of runtimes: a seed makes the order repeatable, a fault plan makes calls fail or come late.
///
/// Threads  any.
class EmulatedDevice : public Device {
 public:
  [[nodiscard]] static std::shared_ptr<EmulatedDevice> create(EmulatedDeviceOptions options = {});

  [[nodiscard]] virtual DeviceCallCounts call_counts() const noexcept = 0;
  /// Adds a fault to come.
  virtual void add_fault(DeviceFault fault) = 0;
  /// Bytes of device memory, and of pinned memory, allocated or registered now.
  [[nodiscard]] virtual std::uint64_t device_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t pinned_bytes() const noexcept = 0;
};

}  // namespace kvbm
