#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "device/live_memory.hpp"
#include "kvbm/device/kernel_call.hpp"

namespace kvbm {

class EmulatedCore;
struct EmulatedStream;

/// A point in the work of a stream; reached when the stream has completed `position` operations. Streams are never
/// freed and their counts never go back, so a point of a destroyed stream reads as reached once its work has run.
struct StreamPoint {
  const EmulatedStream* stream = nullptr;  ///< null: nothing to wait for
  std::uint64_t position = 0;
  std::uint64_t due = 0;  ///< the turn before which it cannot be reached
};

/// The piece of memory in which one side of a copy was when the call was made.
struct CopySide {
  std::uint64_t id = 0;                ///< of the range, or of another device's piece
  bool on_peer = false;                ///< it is another device's
  LiveMemory::Range* range = nullptr;  ///< while the copy runs, if it is this device's
};

/// Bytes to write.
struct CopyPiece {
  std::byte* target;
  const std::byte* source;  ///< null: fill
  std::size_t bytes;
  CopySide of_target;
  CopySide of_source;
};

/// Something enqueued on a stream.
struct Operation {
  enum class Kind : std::uint8_t { Copy, Kernel, Record, Wait, WaitForPeer };

  Kind kind = Kind::Record;
  bool breaks = false;  ///< it fails and takes the device with it
  std::uint8_t fill_value = 0;
  std::uint64_t number = 0;  ///< counted over all streams, in the order of the calls
  std::uint64_t due = 0;     ///< the turn before which it does not run
  StreamPoint awaited{};
  std::shared_ptr<EmulatedCore> peer{};  ///< of WaitForPeer: whose stream it is
  std::vector<CopyPiece> pieces;         ///< of Copy; keeps its capacity for the next operation in this place
  std::optional<KernelCall> call{};
};

/// Operations, first in, first out. Grows and never shrinks: no allocation once it is as long as it gets.
class OperationRing {
 public:
  [[nodiscard]] bool empty() const noexcept { return size_ == 0; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] const Operation& front() const noexcept { return places_[first_]; }
  /// A place at the back, with what an earlier operation left there. Counts once append() is called.
  /// Errors  std::bad_alloc.
  [[nodiscard]] Operation& vacant() {
    if (size_ == places_.size()) grow();
    return places_[(first_ + size_) % places_.size()];
  }
  void append() noexcept { ++size_; }
  /// Swaps the front out. Precondition: not empty.
  void take(Operation& operation) noexcept {
    std::swap(operation, places_[first_]);
    first_ = (first_ + 1) % places_.size();
    --size_;
  }
  void clear() noexcept { size_ = 0; }

 private:
  void grow() {
    std::vector<Operation> larger(places_.empty() ? 16 : 2 * places_.size());
    for (std::size_t i = 0; i < size_; ++i) larger[i] = std::move(places_[(first_ + i) % places_.size()]);
    places_ = std::move(larger);
    first_ = 0;
  }

  std::vector<Operation> places_;
  std::size_t first_ = 0;
  std::size_t size_ = 0;
};

/// What a StreamView of an emulated device points to. Used again after its stream was destroyed and has run dry.
struct EmulatedStream {
  OperationRing queue;
  std::uint64_t enqueued = 0;
  std::uint64_t completed = 0;
  std::uint64_t last_due = 0;
  bool live = false;
  bool running = false;  ///< a worker has taken the front
  bool high_priority = false;
};

/// What an EventView of an emulated device points to. Work that waits holds a copy of the point, so an event can go
/// at any time.
struct EmulatedEvent {
  EmulatedCore* owner = nullptr;
  StreamPoint recorded{};
  bool live = false;
};

[[nodiscard]] inline bool is_reached(const StreamPoint& point) noexcept {
  return point.stream == nullptr || point.stream->completed >= point.position;
}

}  // namespace kvbm
