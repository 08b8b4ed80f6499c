#include <algorithm>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "base/nvtx.hpp"
#include "device/emulated_core.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kLateTurns = 1000;
constexpr std::uint64_t kSeededTurns = 16;
constexpr std::uint64_t kSeededTurnsOfHighPriority = 4;

/// SplitMix64: the number-th draw of a seed.
std::uint64_t draw(std::uint64_t seed, std::uint64_t number) noexcept {
  std::uint64_t x = seed + number * 0x9E37'79B9'7F4A'7C15u;
  x = (x ^ (x >> 30)) * 0xBF58'476D'1CE4'E5B9u;
  x = (x ^ (x >> 27)) * 0x94D0'49BB'1331'11EBu;
  return x ^ (x >> 31);
}

}  // namespace

std::uint64_t EmulatedCore::lateness(const EmulatedStream& stream, std::uint64_t number, bool late) const noexcept {
  if (late) return kLateTurns;
  if (!seed_) return 0;
  const std::uint64_t drawn = draw(*seed_, number);
  const std::uint64_t turns = drawn % (stream.high_priority ? kSeededTurnsOfHighPriority : kSeededTurns);
  const bool straggler = (drawn >> 32) % 16 == 0;
  return straggler ? 8 * turns : turns;
}

void EmulatedCore::start_worker_if_missing() {
  if (workers_.size() >= streams_.size()) return;
  try {
    workers_.emplace_back([this] { work(); });
  } catch (const std::system_error& error) {
    throw DeviceError(DeviceError::Kind::Refused, std::string("create_stream: no thread for it: ") + error.what());
  }
}

EmulatedCore::~EmulatedCore() {
  std::vector<std::thread> workers;
  {
    const MutexLock lock(mutex_);
    ending_ = true;
    turn_ = kNever;  // everything is due
    workers.swap(workers_);
    work_.notify_all();
  }
  for (std::thread& worker : workers) worker.join();
}

void EmulatedCore::work() {
  KVBM_NVTX_THREAD("kvbm.emulated");
  Operation operation;  // its vectors go round with those of the queues
  const MutexLock lock(mutex_);
  for (;;) {
    if (EmulatedStream* const stream = next_stream()) {
      run_front(*stream, operation);
    } else if (ending_ && queued_ == 0) {
      return;
    } else {
      wait_for_work();
    }
  }
}

EmulatedStream* EmulatedCore::next_stream() noexcept {
  if (in_turn_) return nullptr;
  EmulatedStream* next = nullptr;
  for (EmulatedStream& stream : streams_) {
    if (stream.running || stream.queue.empty() || stream.queue.front().due > turn_) continue;
    const Operation& front = stream.queue.front();
    if (front.kind == Operation::Kind::Wait && !is_reached(front.awaited)) continue;
    if (next == nullptr || goes_before(stream, *next)) next = &stream;
  }
  return next;
}

bool EmulatedCore::goes_before(const EmulatedStream& stream, const EmulatedStream& other) noexcept {
  const Operation& front = stream.queue.front();
  const Operation& its = other.queue.front();
  return std::pair(front.due, front.number) < std::pair(its.due, its.number);
}

void EmulatedCore::run_front(EmulatedStream& stream, Operation& operation) {
  stream.queue.take(operation);
  stream.running = true;
  --queued_;
  if (seed_) {
    in_turn_ = true;
    in_turn_number_ = operation.number;
    in_turn_since_ = Clock::now();
  }
  const bool is_copy = operation.kind == Operation::Kind::Copy;
  const bool is_kernel = operation.kind == Operation::Kind::Kernel;
  const bool is_peers = operation.kind == Operation::Kind::WaitForPeer;
  bool peer_is_well = true;
  if (ending_ && queued_ == 0) work_.notify_all();
  if (idle_workers_ != 0 && (next_stream() != nullptr || is_kernel || is_peers)) work_.notify_one();

  if (!is_copy || hold_memory(operation)) {
    mutex_.unlock();
    if (is_copy) write_pieces(operation);
    if (is_kernel && !operation.breaks) operation.call->run_on_host();
    if (is_peers) peer_is_well = operation.peer->await(operation.awaited);
    if (is_peers) operation.peer.reset();
    mutex_.lock();
    if (is_copy) let_go_of_memory(operation.pieces);
    if (!peer_is_well) break_device("it waits for an event of another device, which is broken");
    if (operation.breaks) break_device("work failed by the fault plan");
  }
  stream.running = false;
  ++stream.completed;
  if (in_turn_number_ == operation.number) in_turn_ = false;
  changed_.notify_all();
}

void EmulatedCore::wait_for_work() {
  ++idle_workers_;
  if (in_turn_) {
    const std::uint64_t number = in_turn_number_;
    const Clock::time_point until = in_turn_since_ + kPatience;
    work_.wait_until(mutex_, until);
    if (in_turn_number_ == number && Clock::now() >= until) in_turn_ = false;  // the others go on without it
  } else if (const std::uint64_t later = next_due(); later != kNever) {
    work_.wait_until(mutex_, last_call_ + kPatience);
    if (Clock::now() >= last_call_ + kPatience) turn_ = std::max(turn_, later);
  } else {
    work_.wait(mutex_);
  }
  --idle_workers_;
}

std::uint64_t EmulatedCore::next_due() const noexcept {
  std::uint64_t next = kNever;
  for (const EmulatedStream& stream : streams_) {
    if (stream.running || stream.queue.empty() || stream.queue.front().due <= turn_) continue;
    next = std::min(next, stream.queue.front().due);
  }
  return next;
}

void EmulatedCore::break_device(std::string reason) {
  if (!broken_.empty()) return;
  broken_ = "the emulated device is broken: " + std::move(reason);
  is_broken_.store(true, std::memory_order_relaxed);  // relaxed: it only ever becomes so
  for (EmulatedStream& stream : streams_) stream.queue.clear();
  queued_ = 0;
  changed_.notify_all();
  work_.notify_all();
}

void EmulatedCore::write_pieces(const Operation& operation) noexcept {
  std::size_t left = 0;
  for (const CopyPiece& piece : operation.pieces) left += piece.bytes;
  if (operation.breaks) left /= 2;
  for (const CopyPiece& piece : operation.pieces) {
    const std::size_t bytes = std::min(piece.bytes, left);
    left -= bytes;
    if (piece.source == nullptr) {
      std::memset(piece.target, operation.fill_value, bytes);
    } else {
      std::memmove(piece.target, piece.source, bytes);
    }
  }
}

}  // namespace kvbm
