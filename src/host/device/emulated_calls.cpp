#include <unistd.h>

#include <algorithm>
#include <array>
#include <string>
#include <system_error>

#include "device/emulated_core.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

std::uint64_t host_memory_bytes() noexcept {
  return static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

DeviceCapabilities capabilities_of(const EmulatedDeviceOptions& options) {
  return {.name = "emulated",
          .ordinal = options.ordinal,
          .numa_node = -1,
          .multiprocessors = static_cast<int>(std::max(1u, std::thread::hardware_concurrency())),
          .memory_bytes = options.memory_bytes == 0 ? host_memory_bytes() : options.memory_bytes,
          .emulated = true,
          .batched_copy = options.batched_copy,
          .bulk_copy = options.bulk_copy,
          .coherent_host = options.coherent_host,
          .host_register = options.host_register,
          .memory_pools = options.memory_pools};
}

CUstream_st* handle_of(EmulatedStream& stream) noexcept { return reinterpret_cast<CUstream_st*>(&stream); }
CUevent_st* handle_of(EmulatedEvent& event) noexcept { return reinterpret_cast<CUevent_st*>(&event); }

}  // namespace

std::shared_ptr<EmulatedDevice> EmulatedDevice::create(const EmulatedDeviceOptions& options) {
  return std::make_shared<EmulatedCore>(options);
}

EmulatedCore::EmulatedCore(const EmulatedDeviceOptions& options)
    : capabilities_(capabilities_of(options)), seed_(options.delay_seed) {
  for (const DeviceFault& fault : options.faults) faults_.add(fault);
}

// ---- state ----

DeviceCallCounts EmulatedCore::call_counts() const noexcept {
  const MutexLock lock(mutex_);
  return faults_.counts();
}

void EmulatedCore::add_fault(DeviceFault fault) {
  const MutexLock lock(mutex_);
  faults_.add(fault);
}

void EmulatedCore::throw_if_broken() const {
  if (!broken_.empty()) throw DeviceError(DeviceError::Kind::Broken, broken_);
}

std::optional<DeviceFault::Effect> EmulatedCore::count_call(FaultKind kind, const char* name) {
  const std::optional<Effect> effect = faults_.next(kind);
  if (effect == Effect::Refuse) {
    throw DeviceError(kind == FaultKind::Allocation ? DeviceError::Kind::OutOfMemory : DeviceError::Kind::Refused,
                      std::string(name) + " refused by the fault plan");
  }
  return effect;
}

void EmulatedCore::count_immediate(FaultKind kind, const char* name) {
  if (count_call(kind, name) != Effect::Break) return;
  break_device(std::string(name) + " failed by the fault plan");
  throw_if_broken();
}

EmulatedStream& EmulatedCore::checked(StreamView stream) const {
  if (stream.handle() == nullptr) {
    throw DeviceError(DeviceError::Kind::Refused, "the default stream is not for kvbm: make one");
  }
  auto* const found = reinterpret_cast<EmulatedStream*>(stream.handle());
  const bool known = std::any_of(streams_.begin(), streams_.end(),
                                 [&](const EmulatedStream& own) { return &own == found && own.live; });
  KVBM_ASSERT(known, "a stream of another device, or destroyed");
  return *found;
}

EmulatedEvent& EmulatedCore::checked(EventView event) const {
  auto* const found = reinterpret_cast<EmulatedEvent*>(event.handle());
  KVBM_ASSERT(found != nullptr && found->live, "an event that is null or destroyed");
  return *found;
}

EmulatedCore& EmulatedCore::owner_of(EventView event) noexcept {
  auto* const found = reinterpret_cast<const EmulatedEvent*>(event.handle());
  KVBM_ASSERT(found != nullptr && found->owner != nullptr, "an event that is null");
  return *found->owner;
}

StreamPoint EmulatedCore::recorded(EventView event) const {
  const MutexLock lock(mutex_);
  throw_if_broken();
  return checked(event).recorded;
}

// ---- streams and events ----

StreamView EmulatedCore::create_stream(StreamPriority priority, const char* /*name*/) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  auto found = std::find_if(streams_.begin(), streams_.end(), [](const EmulatedStream& stream) {
    return !stream.live && !stream.running && stream.queue.empty();
  });
  if (found == streams_.end()) {
    streams_.emplace_back();
    found = std::prev(streams_.end());
  }
  start_worker_if_missing();
  found->live = true;
  found->high_priority = priority == StreamPriority::High;
  return StreamView(handle_of(*found));
}

void EmulatedCore::destroy_stream(StreamView stream) noexcept {
  const MutexLock lock(mutex_);
  checked(stream).live = false;
}

EventView EmulatedCore::create_event() {
  const MutexLock lock(mutex_);
  throw_if_broken();
  count_immediate(FaultKind::Event, "create_event");
  if (vacant_events_.empty()) {
    vacant_events_.reserve(events_.size() + 1);  // so that destroying needs no memory
    vacant_events_.push_back(&events_.emplace_back());
  }
  EmulatedEvent& event = *vacant_events_.back();
  vacant_events_.pop_back();
  event = {.owner = this, .live = true};
  return EventView(handle_of(event));
}

void EmulatedCore::destroy_event(EventView event) noexcept {
  const MutexLock lock(mutex_);
  EmulatedEvent& destroyed = checked(event);
  destroyed.live = false;
  vacant_events_.push_back(&destroyed);
}

void EmulatedCore::record(EventView event, StreamView stream) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  EmulatedEvent& recorded = checked(event);
  EmulatedStream& on = checked(stream);
  const std::optional<Effect> effect = count_call(FaultKind::Event, "record");
  Operation& operation = on.queue.vacant();
  operation.kind = Operation::Kind::Record;
  enqueue(on, operation, effect);
  recorded.recorded = {.stream = &on, .position = on.enqueued, .due = on.last_due};
}

void EmulatedCore::wait(StreamView stream, EventView event) {
  std::shared_ptr<EmulatedCore> peer;
  StreamPoint point;
  if (EmulatedCore& owner = owner_of(event); &owner != this) {
    point = owner.recorded(event);
    peer = owner.shared_from_this();
  }
  const MutexLock lock(mutex_);
  throw_if_broken();
  if (peer == nullptr) point = checked(event).recorded;
  EmulatedStream& on = checked(stream);
  const std::optional<Effect> effect = count_call(FaultKind::Event, "wait");
  if (point.stream == nullptr) return;  // never recorded
  Operation& operation = on.queue.vacant();
  operation.kind = peer == nullptr ? Operation::Kind::Wait : Operation::Kind::WaitForPeer;
  operation.awaited = point;
  operation.peer.swap(peer);  // what a dropped operation left there goes unlocked
  enqueue(on, operation, effect);
}

bool EmulatedCore::done(EventView event) {
  if (EmulatedCore& owner = owner_of(event); &owner != this) return owner.done(event);
  {
    const MutexLock lock(mutex_);
    throw_if_broken();
    const StreamPoint point = checked(event).recorded;
    if (is_reached(point)) return true;
    if (point.due > turn_) {
      ++turn_;
      last_call_ = Clock::now();
      work_.notify_one();
    }
  }
  std::this_thread::yield();  // who asks in a loop would keep the workers from the lock
  return false;
}

void EmulatedCore::synchronize(EventView event) {
  if (EmulatedCore& owner = owner_of(event); &owner != this) return owner.synchronize(event);
  const MutexLock lock(mutex_);
  throw_if_broken();
  block_until(checked(event).recorded);
}

void EmulatedCore::synchronize(StreamView stream) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  const EmulatedStream& awaited = checked(stream);
  block_until({.stream = &awaited, .position = awaited.enqueued, .due = awaited.last_due});
}

void EmulatedCore::block_until(StreamPoint point) {
  if (point.due > turn_) {
    turn_ = point.due;
    work_.notify_one();
  }
  while (!is_reached(point) && broken_.empty()) changed_.wait(mutex_);
  throw_if_broken();
}

bool EmulatedCore::await(const StreamPoint& point) {
  try {
    const MutexLock lock(mutex_);
    throw_if_broken();
    block_until(point);
    return true;
  } catch (const DeviceError&) {
    return false;
  }
}

// ---- work ----

void EmulatedCore::enqueue(EmulatedStream& stream, Operation& operation, std::optional<Effect> effect) {
  ++turn_;
  operation.number = ++operations_;
  operation.breaks = effect == Effect::Break;
  operation.due = std::max(turn_ + lateness(stream, operation.number, effect == Effect::Late), stream.last_due);
  if (operation.kind == Operation::Kind::Wait) operation.due = std::max(operation.due, operation.awaited.due);
  stream.last_due = operation.due;
  if (operation.due > turn_) last_call_ = Clock::now();
  stream.queue.append();
  ++stream.enqueued;
  ++queued_;
  work_.notify_one();
}

void EmulatedCore::copy(void* target, const void* source, std::size_t bytes, StreamView stream) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  EmulatedStream& on = checked(stream);
  if (bytes == 0) return;
  enqueue_copy(checked_piece("copy", target, source, bytes), 0, on, "copy");
}

void EmulatedCore::fill(void* target, std::uint8_t value, std::size_t bytes, StreamView stream) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  EmulatedStream& on = checked(stream);
  if (bytes == 0) return;
  const CopyPiece piece{.target = static_cast<std::byte*>(target),
                        .source = nullptr,
                        .bytes = bytes,
                        .of_target = checked_side("fill", "target", target, bytes, /*may_be_peers=*/false),
                        .of_source = {}};
  enqueue_copy(piece, value, on, "fill");
}

void EmulatedCore::enqueue_copy(const CopyPiece& piece, std::uint8_t fill_value, EmulatedStream& stream,
                                const char* name) {
  const std::optional<Effect> effect = count_call(FaultKind::Copy, name);
  Operation& operation = stream.queue.vacant();
  operation.kind = Operation::Kind::Copy;
  operation.fill_value = fill_value;
  operation.pieces.assign(1, piece);
  enqueue(stream, operation, effect);
}

bool EmulatedCore::copy_batch(const CopyBatch& batch, StreamView stream) {
  KVBM_ASSERT(batch.targets.size() == batch.sources.size() && batch.targets.size() == batch.bytes.size(),
              "the lists of a batch have one length");
  if (std::find(batch.bytes.begin(), batch.bytes.end(), 0u) != batch.bytes.end()) {
    throw DeviceError(DeviceError::Kind::Refused, "copy_batch: a copy of 0 bytes");
  }
  if (!capabilities_.batched_copy) {
    for (std::size_t i = 0; i < batch.bytes.size(); ++i) {
      copy(batch.targets[i], batch.sources[i], batch.bytes[i], stream);
    }
    return false;
  }
  const MutexLock lock(mutex_);
  throw_if_broken();
  EmulatedStream& on = checked(stream);
  if (batch.bytes.empty()) return true;
  Operation& operation = on.queue.vacant();
  operation.kind = Operation::Kind::Copy;
  operation.pieces.clear();
  for (std::size_t i = 0; i < batch.bytes.size(); ++i) {
    operation.pieces.push_back(checked_piece("copy_batch", batch.targets[i], batch.sources[i], batch.bytes[i]));
  }
  enqueue(on, operation, count_call(FaultKind::Copy, "copy_batch"));
  return true;
}

void EmulatedCore::launch(const KernelCall& call, StreamView stream) {
  const MutexLock lock(mutex_);
  throw_if_broken();
  EmulatedStream& on = checked(stream);
  const std::optional<Effect> effect = count_call(FaultKind::Launch, call.name());
  Operation& operation = on.queue.vacant();
  operation.kind = Operation::Kind::Kernel;
  operation.call = call;
  enqueue(on, operation, effect);
}

}  // namespace kvbm
