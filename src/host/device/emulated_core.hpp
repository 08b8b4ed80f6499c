#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "device/emulated_work.hpp"
#include "device/fault_plan.hpp"
#include "device/live_memory.hpp"
#include "kvbm/base/mutex.hpp"
#include "kvbm/device/emulated_device.hpp"

namespace kvbm {

/// The emulated device. Workers, as many as there are streams, take the front of any stream whose turn has come, so a
/// kernel that blocks holds up its own stream only.
///
/// Turns. Time is counted in turns: one for every operation enqueued and for every done() that asks for something not
/// due. An operation is due at its own turn plus its lateness, and not before what precedes it in its stream or what it
/// waits for. Whoever blocks on an operation moves time forward to where it is due.
///
/// With a seed operations run one after the other, in the order of (due, number). That order respects streams and
/// events by itself, and a new operation is never due before one whose time has come already: the order follows from
/// the calls and the seed, however fast the workers are.
/// Other devices. Their memory may be either side of a copy (peer_memory.hpp). Work that waits for an event of another
/// device holds up its own stream only: its worker waits over there.
class EmulatedCore final : public EmulatedDevice, public std::enable_shared_from_this<EmulatedCore> {
 public:
  explicit EmulatedCore(const EmulatedDeviceOptions& options);
  ~EmulatedCore() override;

  [[nodiscard]] const DeviceCapabilities& capabilities() const noexcept override { return capabilities_; }
  [[nodiscard]] DeviceCallCounts call_counts() const noexcept override;
  void add_fault(DeviceFault fault) override;
  [[nodiscard]] std::uint64_t device_bytes() const noexcept override;
  [[nodiscard]] std::uint64_t pinned_bytes() const noexcept override;

  [[nodiscard]] void* allocate(std::size_t bytes) override;
  void release(void* memory) noexcept override;
  [[nodiscard]] void* allocate_pinned(std::size_t bytes, bool write_combined) override;
  void release_pinned(void* memory) noexcept override;
  void register_host(void* memory, std::size_t bytes) override;
  [[nodiscard]] bool unregister_host(void* memory) noexcept override;
  [[nodiscard]] void* device_address(void* pinned) override;

  [[nodiscard]] StreamView create_stream(StreamPriority priority, const char* name) override;
  void destroy_stream(StreamView stream) noexcept override;
  [[nodiscard]] EventView create_event() override;
  void destroy_event(EventView event) noexcept override;
  void record(EventView event, StreamView stream) override;
  void wait(StreamView stream, EventView event) override;
  [[nodiscard]] bool done(EventView event) override;
  void synchronize(EventView event) override;
  void synchronize(StreamView stream) override;

  void copy(void* target, const void* source, std::size_t bytes, StreamView stream) override;
  bool copy_batch(const CopyBatch& batch, StreamView stream) override;
  void fill(void* target, std::uint8_t value, std::size_t bytes, StreamView stream) override;
  void launch(const KernelCall& call, StreamView stream) override;

 private:
  using Clock = std::chrono::steady_clock;
  using Effect = DeviceFault::Effect;
  using Kind = LiveMemory::Kind;
  /// How long nobody must call, or a kernel must run, before work goes on out of turn.
  static constexpr std::chrono::milliseconds kPatience{100};
  static constexpr std::uint64_t kNever = ~std::uint64_t{0};

  // ---- calls (emulated_calls.cpp, emulated_memory.cpp) ----
  void throw_if_broken() const KVBM_REQUIRES(mutex_);
  /// Counts a call. Errors  DeviceError if the plan refuses it.
  [[nodiscard]] std::optional<Effect> count_call(FaultKind kind, const char* name) KVBM_REQUIRES(mutex_);
  /// As count_call, for calls that enqueue nothing: Break takes effect at once.
  void count_immediate(FaultKind kind, const char* name) KVBM_REQUIRES(mutex_);
  [[nodiscard]] EmulatedStream& checked(StreamView stream) const KVBM_REQUIRES(mutex_);
  [[nodiscard]] EmulatedEvent& checked(EventView event) const KVBM_REQUIRES(mutex_);
  /// The device whose event it is. Needs no lock of either.
  [[nodiscard]] static EmulatedCore& owner_of(EventView event) noexcept;
  /// What the event recorded last.
  [[nodiscard]] StreamPoint recorded(EventView event) const KVBM_EXCLUDES(mutex_);
  /// Blocks until a point of this device's work is reached. Returns whether it was: not if the device is broken.
  [[nodiscard]] bool await(const StreamPoint& point) KVBM_EXCLUDES(mutex_);
  [[nodiscard]] CopySide checked_side(const char* call, const char* side, const void* memory, std::size_t bytes,
                                      bool may_be_peers = true) KVBM_REQUIRES(mutex_);
  /// Errors  DeviceError if either side is no memory of this device.
  [[nodiscard]] CopyPiece checked_piece(const char* call, void* target, const void* source, std::size_t bytes)
      KVBM_REQUIRES(mutex_);
  void enqueue(EmulatedStream& stream, Operation& operation, std::optional<Effect> effect) KVBM_REQUIRES(mutex_);
  void enqueue_copy(const CopyPiece& piece, std::uint8_t fill_value, EmulatedStream& stream, const char* name)
      KVBM_REQUIRES(mutex_);
  void block_until(StreamPoint point) KVBM_REQUIRES(mutex_);
  [[nodiscard]] void* allocate(std::size_t bytes, Kind kind, std::size_t alignment, const char* name);
  void release(void* memory, Kind kind) noexcept;
  /// If there is no memory for that, it is not this device's any more either. Errors  std::bad_alloc.
  void add_for_peers(const void* memory, std::size_t bytes) KVBM_REQUIRES(mutex_);
  void remove_when_unused(LiveMemory::Range& range) noexcept KVBM_REQUIRES(mutex_);

  // ---- schedule (emulated_schedule.cpp) ----
  void work();
  void start_worker_if_missing() KVBM_REQUIRES(mutex_);
  [[nodiscard]] std::uint64_t lateness(const EmulatedStream& stream, std::uint64_t number, bool late) const noexcept;
  /// The stream whose front runs next, null if there is none now.
  [[nodiscard]] EmulatedStream* next_stream() noexcept KVBM_REQUIRES(mutex_);
  [[nodiscard]] static bool goes_before(const EmulatedStream& stream, const EmulatedStream& other) noexcept;
  void run_front(EmulatedStream& stream, Operation& operation) KVBM_REQUIRES(mutex_);
  /// Sleeps until something may have become ready, or patience is at its end.
  void wait_for_work() KVBM_REQUIRES(mutex_);
  /// Holds the memory of a copy in place. False, and the device is broken, if some is gone.
  [[nodiscard]] bool hold_memory(Operation& operation) KVBM_REQUIRES(mutex_);
  [[nodiscard]] bool hold(const void* memory, std::size_t bytes, CopySide& side) noexcept KVBM_REQUIRES(mutex_);
  void let_go(const void* memory, CopySide& side) noexcept KVBM_REQUIRES(mutex_);
  void let_go_of_memory(std::span<CopyPiece> pieces) noexcept KVBM_REQUIRES(mutex_);
  /// When the first of the fronts that are not due yet will be; kNever if there is none.
  [[nodiscard]] std::uint64_t next_due() const noexcept KVBM_REQUIRES(mutex_);
  void break_device(std::string reason) KVBM_REQUIRES(mutex_);
  static void write_pieces(const Operation& operation) noexcept;

  const DeviceCapabilities capabilities_;
  const std::optional<std::uint64_t> seed_;

  mutable Mutex mutex_;
  std::condition_variable_any work_;     // for workers: something is enqueued, due, or over
  std::condition_variable_any changed_;  // for callers: something has run, or the device broke
  FaultPlan faults_ KVBM_GUARDED_BY(mutex_);
  LiveMemory memory_ KVBM_GUARDED_BY(mutex_);
  std::uint64_t bytes_promised_ KVBM_GUARDED_BY(mutex_) = 0;  // of allocations on their way into memory_
  std::deque<EmulatedStream> streams_ KVBM_GUARDED_BY(mutex_);
  std::deque<EmulatedEvent> events_ KVBM_GUARDED_BY(mutex_);
  std::vector<EmulatedEvent*> vacant_events_ KVBM_GUARDED_BY(mutex_);
  std::string broken_ KVBM_GUARDED_BY(mutex_);  // why; empty: it is not
  std::atomic<bool> is_broken_{false};          // the same for other devices

  std::uint64_t turn_ KVBM_GUARDED_BY(mutex_) = 0;
  std::uint64_t operations_ KVBM_GUARDED_BY(mutex_) = 0;
  std::size_t queued_ KVBM_GUARDED_BY(mutex_) = 0;
  bool in_turn_ KVBM_GUARDED_BY(mutex_) = false;  // with a seed: an operation runs, and the others wait for it
  std::uint64_t in_turn_number_ KVBM_GUARDED_BY(mutex_) = 0;
  Clock::time_point in_turn_since_ KVBM_GUARDED_BY(mutex_){};
  Clock::time_point last_call_ KVBM_GUARDED_BY(mutex_){};
  std::size_t idle_workers_ KVBM_GUARDED_BY(mutex_) = 0;
  bool ending_ KVBM_GUARDED_BY(mutex_) = false;
  std::vector<std::thread> workers_ KVBM_GUARDED_BY(mutex_);
};

}  // namespace kvbm
