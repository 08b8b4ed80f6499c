#pragma once

#include <cstddef>
#include <cstring>
#include <type_traits>

#include "kvbm/device/stream.hpp"

namespace kvbm {

/// One kernel launch as data: its arguments by value, and how to run it on either kind of device. The emulated device
/// keeps the call in its queue and runs `on_host` when its turn comes; a CUDA device calls `on_stream`, which launches.
///
/// Made by  the launchers of kernels/*.hpp.
/// Cost     no allocation; a copy of kArgumentBytes at most.
class KernelCall {
 public:
  static constexpr std::size_t kArgumentBytes = 512;

  /// `on_stream` is null in builds without CUDA.
  template <class Arguments>
  KernelCall(const char* name, const Arguments& arguments, std::type_identity_t<void (*)(const Arguments&)> on_host,
             std::type_identity_t<void (*)(const Arguments&, StreamView)> on_stream) noexcept
      : name_(name) {
    static_assert(std::is_trivially_copyable_v<Arguments> && sizeof(Arguments) <= kArgumentBytes &&
                  alignof(Arguments) <= kAlignment);
    std::memcpy(arguments_, &arguments, sizeof(Arguments));
    on_host_ = reinterpret_cast<Erased>(on_host);
    on_stream_ = reinterpret_cast<Erased>(on_stream);
    run_ = [](const KernelCall& call) {
      reinterpret_cast<void (*)(const Arguments&)>(call.on_host_)(call.as<Arguments>());
    };
    launch_ = [](const KernelCall& call, StreamView stream) {
      reinterpret_cast<void (*)(const Arguments&, StreamView)>(call.on_stream_)(call.as<Arguments>(), stream);
    };
  }

  [[nodiscard]] const char* name() const noexcept { return name_; }
  [[nodiscard]] bool runs_on_cuda() const noexcept { return on_stream_ != nullptr; }
  /// Runs the functor for every thread of the grid, in order, on the calling thread.
  void run_on_host() const { run_(*this); }
  /// Launches on a CUDA stream. Precondition: runs_on_cuda(). Errors  CudaError.
  void launch(StreamView stream) const { launch_(*this, stream); }

 private:
  static constexpr std::size_t kAlignment = 16;
  using Erased = void (*)();

  template <class Arguments>
  [[nodiscard]] const Arguments& as() const noexcept {
    return *reinterpret_cast<const Arguments*>(arguments_);
  }

  const char* name_;
  Erased on_host_ = nullptr;
  Erased on_stream_ = nullptr;
  void (*run_)(const KernelCall&) = nullptr;
  void (*launch_)(const KernelCall&, StreamView) = nullptr;
  alignas(kAlignment) std::byte arguments_[kArgumentBytes];
};

}  // namespace kvbm
