#pragma once

#include <memory>
#include <span>
#include <type_traits>

#include "bench/support/lookup_world.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"

namespace kvbm::bench {

/// A device and a stream to measure on.
class DeviceBench {
 public:
  explicit DeviceBench(std::shared_ptr<Device> device);

  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }
  [[nodiscard]] StreamView stream() const noexcept { return stream_.view(); }

  [[nodiscard]] Memory allocate(std::size_t bytes) const;
  [[nodiscard]] Memory allocate_zeroed(std::size_t bytes) const;
  template <class T>
  [[nodiscard]] Memory copy_of(std::span<const T> values) const {
    return copy_of(values.data(), values.size_bytes());
  }
  template <class T>
  void read(std::span<T> values, const Memory& from) const {
    read(values.data(), from, values.size_bytes());
  }
  void launch(const KernelCall& call) const { device_->launch(call, stream_.view()); }
  void fill(const Memory& memory, std::uint8_t value) const;
  void wait() const { device_->synchronize(stream_.view()); }
  /// Waits without sleeping, for what is measured.
  void spin() const;
  /// What enqueues work `times` times, and waits for all of it.
  [[nodiscard]] Contender repeated(unsigned times, std::function<void()> enqueue) const;

 private:
  [[nodiscard]] Memory copy_of(const void* values, std::size_t bytes) const;
  void read(void* values, const Memory& from, std::size_t bytes) const;

  std::shared_ptr<Device> device_;
  Stream stream_;
  Event reached_;
};

/// Questions that lie on a device with room for their answers, asked in place.
template <class InputType>
class Resident {
 public:
  using Input = InputType;
  using Batch = kernels::PrefixMatchBatch<kernels::FingerprintSlot, Input>;

  Resident(const DeviceBench& bench, Questions& questions, kernels::PrefixTableView<kernels::FingerprintSlot> table)
      : bench_(bench),
        questions_(questions),
        table_(table),
        keys_(bench.copy_of<Input>(inputs_of(questions))),
        offsets_(bench.copy_of<std::uint32_t>(questions.offsets)),
        hints_(bench.allocate(questions.keys.size() * sizeof(BlockHint))),
        prefixes_(bench.allocate(questions.requests() * sizeof(std::uint32_t))) {
    poison();
  }

  [[nodiscard]] Batch batch() const {
    return {.table = table_,
            .keys = keys(),
            .offsets = offsets(),
            .requests = questions_.requests(),
            .blocks_max = questions_.blocks_max,
            .hints = hints(),
            .prefixes = prefixes(),
            .epochs = nullptr,
            .done = nullptr,
            .done_value = 0,
            .blocks_left = nullptr,
            .blocks = questions_.blocks()};
  }
  [[nodiscard]] const Input* keys() const noexcept { return reinterpret_cast<const Input*>(keys_.address()); }
  [[nodiscard]] const std::uint32_t* offsets() const noexcept {
    return reinterpret_cast<const std::uint32_t*>(offsets_.address());
  }
  [[nodiscard]] BlockHint* hints() const noexcept { return reinterpret_cast<BlockHint*>(hints_.address()); }
  [[nodiscard]] std::uint32_t* prefixes() const noexcept {
    return reinterpret_cast<std::uint32_t*>(prefixes_.address());
  }
  [[nodiscard]] const Questions& questions() const noexcept { return questions_; }

  /// Enqueues one look-up, and what it expects to find in its answers before.
  void ask() const {
    bench_.fill(prefixes_, 0xFF);
    bench_.launch(kernels::prefix_match(batch()));
  }
  /// The same for prefixes alone.
  void count() const {
    Batch wanted = batch();
    wanted.hints = nullptr;
    wanted.count_only = true;
    bench_.launch(kernels::prefix_match(wanted));
  }
  void poison() const {
    bench_.fill(hints_, 0xA5);
    bench_.fill(prefixes_, 0xA5);
    bench_.wait();
  }
  void verify_count(const std::string& what) const {
    bench_.read<std::uint32_t>(questions_.prefixes, prefixes_);
    if (questions_.prefixes != questions_.expected) throw std::logic_error(what + ": a wrong prefix");
    poison();
  }
  /// Errors  std::logic_error naming `what`. The answers are poisoned again.
  void verify(const std::string& what) const {
    bench_.read<BlockHint>(questions_.hints, hints_);
    bench_.read<std::uint32_t>(questions_.prefixes, prefixes_);
    questions_.verify(what);
    poison();
  }

 private:
  [[nodiscard]] static auto inputs_of(const Questions& questions) {
    if constexpr (std::is_same_v<Input, std::uint64_t>) {
      return std::span<const std::uint64_t>(questions.keys);
    } else {
      std::vector<SequenceHash> hashes;
      hashes.reserve(questions.numbers.size());
      for (const std::uint64_t number : questions.numbers) {
        hashes.push_back(world_key<kernels::ExactSlot>(number));
      }
      return hashes;
    }
  }

  const DeviceBench& bench_;
  Questions& questions_;
  kernels::PrefixTableView<kernels::FingerprintSlot> table_;
  Memory keys_, offsets_, hints_, prefixes_;
};

}  // namespace kvbm::bench
