#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "kvbm/device/device.hpp"

namespace kvbm {

/// The calls of a device that a fault can hit. Each kind is counted apart, from 1; calls that are refused as invalid,
/// and copies of 0 bytes, do not count.
enum class FaultKind : std::uint8_t {
  Copy,        ///< copy, fill, copy_batch (one call; a copy each where the device has no batched_copy)
  Allocation,  ///< allocate, allocate_pinned, register_host
  Launch,
  Event,  ///< create_event, record, wait
};

/// What happens at the `n`-th call of one kind.
struct DeviceFault {
  enum class Effect : std::uint8_t {
    Refuse,  ///< the call throws (OutOfMemory from allocations, else Refused); nothing is enqueued or allocated
    Late,    ///< the work is due 1000 turns later; nothing happens to calls that enqueue no work
    Break,   ///< the work fails when it runs: half of a copy is written, no kernel runs, and the device is broken from
             ///< then on. A call that enqueues no work throws Broken itself.
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
  bool memory_pools = true;
  int ordinal = 0;
};

/// How many calls of each kind a device has seen, to aim faults at.
struct DeviceCallCounts {
  std::uint64_t copies = 0, allocations = 0, launches = 0, events = 0;

  [[nodiscard]] constexpr std::uint64_t of(FaultKind kind) const noexcept {
    const std::uint64_t all[]{copies, allocations, launches, events};
    return all[static_cast<std::size_t>(kind)];
  }
};

/// A device made of CPU threads and host memory: streams are queues that threads empty, so copies are late, overlap,
/// and finish out of order across streams; kernels run as their host functor. For machines without a GPU and for tests
/// of runtimes: a seed makes the order repeatable, a fault plan makes calls fail or come late.
///
/// Without a seed work runs as soon as its stream and what it waits for let it, on several threads at once.
///
/// With a seed each piece of work comes up to 15 turns late (some of it 120), and one piece runs at a time. A turn
/// passes with each call that enqueues and with each done() that asks for work not due yet; synchronize() lets as many
/// pass as are missing. The order in which work runs is a function of the seed and of the sequence of these calls,
/// whatever the threads of the device do: calls from one thread repeat it, calls from several do as far as they come
/// in the same order. Two things, which are there so that nothing hangs, break the rule: a kernel that runs for more
/// than 100 ms holds up other streams no longer, and work that is not due runs when nobody has called for 100 ms.
///
/// Several devices know each other as GPUs of one process do: streams wait for events of other devices, and copies
/// reach their memory. A device that waits for one that breaks, or copies its memory then, breaks too. Kernels, fills
/// and pinned memory are each device's own.
///
/// Memory is watched. New memory reads 0xDE. A copy whose ends are not each inside one piece of live device, pinned or
/// registered memory is refused. Memory released while a copy of it is enqueued or runs breaks the device when the copy
/// gets there, as a fault of a GPU would; the error names it.
///
/// When the device breaks, what is enqueued is dropped and never runs. Releasing and destroying go on working.
///
/// Threads  any.
/// Cost     a call that enqueues allocates nothing once its stream's queue is as long as it gets.
class EmulatedDevice : public Device {
 public:
  [[nodiscard]] static std::shared_ptr<EmulatedDevice> create(const EmulatedDeviceOptions& options = {});

  [[nodiscard]] virtual DeviceCallCounts call_counts() const noexcept = 0;
  /// Adds a fault to come. Errors  std::invalid_argument for n = 0; so does create().
  virtual void add_fault(DeviceFault fault) = 0;
  /// Bytes of device memory, and of pinned memory, allocated or registered now.
  [[nodiscard]] virtual std::uint64_t device_bytes() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t pinned_bytes() const noexcept = 0;
};

}  // namespace kvbm
