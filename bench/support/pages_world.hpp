#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "bench/support/pages_report.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/layout/layout_memory.hpp"
#include "kvbm/transfer/transfer_engine.hpp"

namespace kvbm::bench {

inline constexpr std::size_t kKiB = 1024;
inline constexpr std::size_t kMiB = 1024 * kKiB;

struct PagesOptions {
  std::size_t bytes = 256 * kMiB;  ///< of the reference copy, and of most transfers
  unsigned samples = 15;
  unsigned warm_ups = 3;                                                 ///< rounds before them
  std::function<void(const PagesReport&, const PagesRow&)> row_added{};  ///< told of each row as it is measured
};

/// The median of some samples, and how far their middle 80 percent lie apart, as a part of it.
struct PagesTime {
  double seconds;
  double spread;
};

/// Costly works settle for fewer rounds than the options ask for.
struct PagesRounds {
  unsigned warm_ups_max = 1000;
  unsigned samples_max = 1000;
};

using Pages = std::shared_ptr<const BlockLayout>;

/// One transfer to measure. Between layouts of one order.
struct PagesMove {
  Pages source;
  Pages target;
  std::span<const BlockPair> pairs;
  std::optional<Mechanism> mechanism{};
  std::optional<LayerRange> layers{};
};

/// What cases share: the device, an engine on it, a stream that everything is timed on, and pages to move.
///
/// Errors  of all methods: DeviceError, std::runtime_error for a transfer that is refused or fails.
/// Threads one.
class PagesWorld {
 public:
  /// `id` names the rows to come.
  PagesWorld(std::shared_ptr<Device> device, const PagesOptions& options, std::string id);

  [[nodiscard]] const PagesOptions& options() const noexcept { return options_; }
  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }
  [[nodiscard]] TransferEngine& engine() noexcept { return engine_; }
  [[nodiscard]] StreamView stream() const noexcept { return stream_.view(); }
  [[nodiscard]] PagesReport& report() noexcept { return report_; }

  /// A layout of its own memory.
  [[nodiscard]] Pages pages(const LayoutConfig& config, LayoutKind kind, MemoryKind memory);
  /// Bytes that kernels can reach, on the device. `values` are in place when work on the stream runs.
  template <class Value>
  [[nodiscard]] Memory on_device(std::span<const Value> values) {
    return copied_to_device(values.data(), values.size_bytes());
  }
  /// What such memory holds once the stream has come so far.
  template <class Value>
  [[nodiscard]] std::vector<Value> to_host(const Memory& memory) {
    std::vector<Value> values(memory.bytes() / sizeof(Value));
    copy_to_host(memory, values.data());
    return values;
  }

  // ---- contents ----
  /// Random bytes, by key, block, layer and place: the same in every layout of one shape.
  void fill_random(const Pages& pages, std::uint64_t key);
  void poison(const Pages& pages);
  /// The checksum of each page, by the device.
  [[nodiscard]] std::vector<std::uint64_t> sums(const Pages& pages, std::optional<LayerRange> layers = {});
  /// Pages of the target that differ from their source, every byte of them looked at.
  [[nodiscard]] std::uint64_t wrong_pages(const PagesMove& move);
  /// Poisons the target, moves once more, and looks. What was timed is looked at before that.
  [[nodiscard]] std::uint64_t wrong_pages_anew(const PagesMove& move);

  // ---- time ----
  /// Submits; the stream waits for it.
  void enqueue(const PagesMove& move);
  /// By which the transfer went that was enqueued last. Precondition: it was measured.
  [[nodiscard]] Mechanism mechanism() const noexcept { return mechanism_; }
  /// Seconds from the call of `work`, which enqueues, until the device has passed the end of the stream. Waits for
  /// every transfer that was enqueued.
  double seconds(const std::function<void()>& work);
  /// Seconds from submitting until Completion::wait() has returned.
  double seconds_waiting(const PagesMove& move);
  /// Rounds of warm-up, then `samples` rounds of all works in turn, so that drift hits them alike.
  [[nodiscard]] std::vector<PagesTime> alternate(const std::vector<std::function<void()>>& works);
  /// The same for works that measure themselves.
  [[nodiscard]] std::vector<PagesTime> alternate_measured(const std::vector<std::function<double()>>& works,
                                                          PagesRounds rounds = {});

  /// Judges row.ratio by the goal.
  void add(PagesRow row, PagesGoal goal = {});

 private:
  [[nodiscard]] Completion submitted(const PagesMove& move);
  [[nodiscard]] Memory copied_to_device(const void* data, std::size_t bytes);
  void copy_to_host(const Memory& memory, void* data);
  [[nodiscard]] const BlockId* ids(std::uint32_t count);
  void finish();

  struct Sums {
    Memory device;
    Memory pinned;
  };
  const PagesOptions options_;
  const std::string id_;
  const std::shared_ptr<Device> device_;
  TransferEngine engine_;
  Stream stream_;
  Event passed_;
  std::optional<Memory> ids_;  // 0, 1, 2, ...
  std::optional<Sums> sums_;
  std::uint8_t unlike_ = 0;  // what sums are before they are computed: never the same twice in a row
  std::vector<Completion> under_way_;
  Mechanism mechanism_ = Mechanism::Copies;
  PagesReport report_;
};

/// Pages of layers x outer fragments each: as many as make up `bytes`, one at least.
[[nodiscard]] LayoutConfig fragments_of(std::size_t fragment_bytes, std::uint32_t layers, std::uint32_t outer,
                                        std::size_t bytes);
[[nodiscard]] std::size_t total_bytes(const LayoutConfig& config) noexcept;
/// All blocks in a random order, none of which continues its predecessor on both sides.
[[nodiscard]] std::vector<BlockPair> scattered_pairs(std::uint32_t blocks);
/// "32 KiB", "1 MiB".
[[nodiscard]] std::string size_text(std::size_t bytes);

/// The reference R: one copy of `bytes` between pinned and device memory, without kvbm.
class PlainCopy {
 public:
  PlainCopy(PagesWorld& world, std::size_t bytes);

  [[nodiscard]] std::size_t bytes() const noexcept { return total_bytes(device_->config()); }
  void run(bool to_device, StreamView stream) const;
  /// Pages that differ between the two sides.
  [[nodiscard]] std::uint64_t wrong_pages();

 private:
  PagesWorld& world_;
  Pages device_;
  Pages pinned_;
};

}  // namespace kvbm::bench
