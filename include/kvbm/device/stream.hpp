#pragma once

struct CUstream_st;  // what cudaStream_t points to
struct CUevent_st;   // what cudaEvent_t points to

namespace kvbm {

/// Refers to a stream that somebody else owns: a CUDA stream, or one of an emulated device. Headers can name streams
/// without naming CUDA. A function taking one enqueues and returns; it never waits.
///
/// Lifetime  the stream outlives the view. A view is of use only to the device that made the stream.
class StreamView {
 public:
  explicit constexpr StreamView(CUstream_st* handle) noexcept : handle_(handle) {}

  [[nodiscard]] constexpr CUstream_st* handle() const noexcept { return handle_; }
  friend constexpr bool operator==(StreamView, StreamView) = default;

 private:
  CUstream_st* handle_;
};

/// Refers to an event that somebody else owns; as StreamView.
class EventView {
 public:
  explicit constexpr EventView(CUevent_st* handle) noexcept : handle_(handle) {}

  [[nodiscard]] constexpr CUevent_st* handle() const noexcept { return handle_; }
  friend constexpr bool operator==(EventView, EventView) = default;

 private:
  CUevent_st* handle_;
};

}  // namespace kvbm
