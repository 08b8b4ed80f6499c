#pragma once

struct CUstream_st;  // what cudaStream_t points to

namespace kvbm {

/// Refers to a CUDA stream that somebody else owns, so that headers can name streams without naming CUDA.
/// A function taking one enqueues and returns; it never waits.
///
/// Lifetime  the stream outlives the view.
class StreamView {
 public:
  explicit constexpr StreamView(CUstream_st* handle) noexcept : handle_(handle) {}

  [[nodiscard]] constexpr CUstream_st* handle() const noexcept { return handle_; }

 private:
  CUstream_st* handle_;
};

}  // namespace kvbm
