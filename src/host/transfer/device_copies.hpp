#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kvbm/device/device.hpp"
#include "transfer/copy_shape.hpp"
#include "transfer/transfer_plan.hpp"

namespace kvbm {

/// Argument arrays for batched copies, made once and used again.
///
/// Threads  one at a time.
class BatchArguments {
 public:
  /// Larger batches have hung or faulted in drivers of this generation.
  static constexpr std::size_t kDescriptors = 4096;

  void add(void* target, const void* source, std::size_t bytes, Device& device, StreamView stream) {
    targets_[count_] = target;
    sources_[count_] = source;
    bytes_[count_] = bytes;
    if (++count_ == kDescriptors) flush(device, stream);
  }
  void flush(Device& device, StreamView stream) {
    const std::size_t count = count_;
    count_ = 0;  // whether or not the call is refused
    if (count == 0) return;
    const bool taken = device.copy_batch(
        {std::span(targets_).first(count), std::span(sources_).first(count), std::span(bytes_).first(count)}, stream);
    all_taken_ = all_taken_ && taken;
  }
  /// Drops what was added since the last flush.
  void clear() noexcept { count_ = 0; }

  /// Whether the driver has taken all batches as such since expect_all_taken().
  [[nodiscard]] bool all_taken() const noexcept { return all_taken_; }
  void expect_all_taken() noexcept { all_taken_ = true; }

 private:
  std::array<void*, kDescriptors> targets_;
  std::array<const void*, kDescriptors> sources_;
  std::array<std::size_t, kDescriptors> bytes_;
  std::size_t count_ = 0;
  bool all_taken_ = true;
};

/// Enqueues one copy call per span. Errors  DeviceError, with the spans before it enqueued.
template <class PairAt>
void copy_by_calls(Device& device, const CopyShape& shape, std::uint32_t count, const PairAt& pair_at,
                   StreamView stream) {
  for_each_span(shape, count, pair_at, [&](std::byte* target, const std::byte* source, std::size_t bytes) {
    device.copy(target, source, bytes, stream);
  });
}

/// Enqueues all spans in calls of kDescriptors. Errors  as above.
template <class PairAt>
void copy_by_batches(Device& device, BatchArguments& batch, const CopyShape& shape, std::uint32_t count,
                     const PairAt& pair_at, StreamView stream) {
  batch.clear();
  for_each_span(shape, count, pair_at, [&](std::byte* target, const std::byte* source, std::size_t bytes) {
    batch.add(target, source, bytes, device, stream);
  });
  batch.flush(device, stream);
}

/// Copies on the calling thread.
template <class PairAt>
void copy_by_cpu(const CopyShape& shape, std::uint32_t count, const PairAt& pair_at) {
  for_each_span(shape, count, pair_at, [](std::byte* target, const std::byte* source, std::size_t bytes) {
    std::memcpy(target, source, bytes);
  });
}

/// What the kernels of one direction are launched with: thread blocks, as in kernels::CopyCells.
struct KernelLimits {
  std::uint32_t copy = 0;     ///< of copies from one side to the other
  std::uint32_t hop = 0;      ///< of copies and permutations between the device's side and a ring
  std::uint32_t permute = 0;  ///< of permutations from one side to the other
};

/// `grid_max` for all if it is given. Else few for what goes over a link: they keep it busy, and more of them only wait
/// for it, in the way of the model's kernels.
[[nodiscard]] KernelLimits kernel_limits(Direction direction, const DeviceCapabilities& capabilities,
                                         std::uint32_t grid_max) noexcept;

/// Enqueues a kernel that copies `count` blocks. Errors  DeviceError.
void copy_by_kernel(Device& device, const CopyShape& shape, const BlockPair* pairs, std::uint32_t count, bool bulk,
                    std::uint32_t grid_max, StreamView stream);

/// Two sides that begin with the same layer.
struct Permutation {
  PageSide from;
  PageSide to;
  std::uint32_t layer_count;
};

/// Enqueues a kernel that permutes `count` blocks. Errors  DeviceError.
void permute_by_kernel(Device& device, const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                       std::uint32_t count, std::uint32_t grid_max, StreamView stream);
/// The same on the calling thread, through the addresses of the CPU.
void permute_by_cpu(const TransferPlan& plan, const Permutation& permutation, const BlockPair* pairs,
                    std::uint32_t count);

}  // namespace kvbm
