#include "transfer/calibration.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <map>
#include <new>
#include <string>
#include <thread>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/mutex.hpp"
#include "kvbm/device/device_error.hpp"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/layout/layout_memory.hpp"
#include "transfer/transfer_core.hpp"

namespace kvbm {
namespace {

constexpr std::uint32_t kLayers = 16;  // spans of a page on the device
constexpr int kRounds = 4;             // of which the fastest counts
constexpr double kMicrosecondsMax = 15'000;

using Layout = std::shared_ptr<const BlockLayout>;

struct Sides {
  Layout source;
  Layout target;
};

/// Pages of 16 spans: apart on the device, together elsewhere.
Layout make_layout(const TransferCore& core, LayoutKind kind, MemoryKind memory, std::uint32_t blocks,
                   std::size_t span_bytes) {
  const LayoutConfig config{.blocks = blocks,
                            .layers = kLayers,
                            .outer = 1,
                            .tokens = 1,
                            .inner = static_cast<std::uint32_t>(span_bytes),
                            .element_bytes = 1,
                            .alignment = 16};
  auto layout = allocate_layout(config, kind, memory, core.device());
  KVBM_ASSERT(layout, "a shape for measuring is a good one");
  return *layout;
}

/// Tells when the device has done a transfer, without the time that a thread takes to wake up.
class Clock {
 public:
  explicit Clock(const std::shared_ptr<Device>& device)
      : device_(device), stream_(device, StreamPriority::Normal, "kvbm.calibration"), event_(device) {}

  void stop_behind(TransferState& state) {
    state.order_before(stream_.view());
    device_->record(event_.view(), stream_.view());
    while (!device_->done(event_.view())) std::this_thread::yield();
  }

 private:
  std::shared_ptr<Device> device_;
  Stream stream_;
  Event event_;
};

/// Microseconds of one transfer, or none if the mechanism cannot do it.
std::optional<double> time_once(TransferCore& core, Clock& clock, const Sides& sides, Mechanism mechanism,
                                std::uint32_t count, std::span<const BlockPair> pairs) {
  const std::uint32_t blocks = (count + kLayers - 1) / kLayers;
  TransferRequest request{.source = sides.source,
                          .target = sides.target,
                          .blocks = pairs.first(blocks),
                          .layers = LayerRange{0, std::min(count, kLayers)},
                          .mechanism = mechanism};
  const auto begin = std::chrono::steady_clock::now();
  auto submitted = core.submit(std::move(request), true);
  if (!submitted) return std::nullopt;
  const struct Reference {
    TransferState& state;
    ~Reference() { state.drop_reference(); }
  } transfer{**submitted};
  clock.stop_behind(transfer.state);
  const std::chrono::duration<double, std::micro> taken = std::chrono::steady_clock::now() - begin;
  transfer.state.wait();
  if (transfer.state.outcome.error) return std::nullopt;
  return std::max(taken.count(), 1e-3);
}

std::optional<double> fastest_of(TransferCore& core, Clock& clock, const Sides& sides, Mechanism mechanism,
                                 std::uint32_t count, std::span<const BlockPair> pairs) {
  std::optional<double> fastest;
  for (int round = 0; round < kRounds; ++round) {
    const std::optional<double> taken = time_once(core, clock, sides, mechanism, count, pairs);
    if (!taken) return std::nullopt;
    if (!fastest || *taken < *fastest) fastest = taken;
  }
  return fastest;
}

/// Pages far from each other, so that no neighbours join.
std::vector<BlockPair> strided_pairs(std::uint32_t blocks) {
  std::vector<BlockPair> pairs;
  for (const std::uint32_t parity : {0u, 1u}) {
    for (std::uint32_t block = parity; block < blocks; block += 2) pairs.push_back({block, blocks - 1 - block});
  }
  return pairs;
}

/// Points of more spans than there are pages for, or that would take long, lie on the line through the two before them.
void measure_row(TransferCore& core, Clock& clock, const Sides& sides, Direction direction, std::size_t size_index,
                 std::span<const BlockPair> pairs, MechanismTable& table) {
  constexpr auto& kCounts = MechanismTable::kCounts;
  for (const Mechanism mechanism : MechanismTable::kMechanisms) {
    std::array<double, kCounts.size()> times{};
    for (std::size_t i = 0; i < kCounts.size(); ++i) {
      if (i >= 2) {
        const double span_us = std::max(0.0, times[i - 1] - times[i - 2]) / (kCounts[i - 1] - kCounts[i - 2]);
        times[i] = times[i - 1] + span_us * (kCounts[i] - kCounts[i - 1]);
      }
      if (kCounts[i] <= pairs.size() * kLayers && times[i] < kMicrosecondsMax) {
        const std::optional<double> measured = fastest_of(core, clock, sides, mechanism, kCounts[i], pairs);
        if (!measured) break;  // it stays as it is built in, and is not possible anyway
        times[i] = *measured;
      }
      table.set(direction, mechanism, size_index, i, times[i]);
    }
  }
}

}  // namespace

MechanismTable measure_mechanisms(TransferCore& core, std::size_t bytes_max) {
  constexpr std::uint32_t kBlocksMax = MechanismTable::kCounts.back() / kLayers;
  MechanismTable table = MechanismTable::built_in();
  Clock clock(core.device());
  for (std::size_t size = 0; size < MechanismTable::kSpanBytes.size(); ++size) {
    const std::size_t span_bytes = MechanismTable::kSpanBytes[size];
    if (span_bytes * kLayers > bytes_max) break;  // no page fits
    const auto blocks =
        static_cast<std::uint32_t>(std::clamp<std::size_t>(bytes_max / (span_bytes * kLayers), 1, kBlocksMax));
    const auto scattered = LayoutKind::LayerSeparateBlockFirst;
    const Layout cache = make_layout(core, scattered, MemoryKind::Device, blocks, span_bytes);
    const Layout other = make_layout(core, LayoutKind::FullyContiguous, MemoryKind::Device, blocks, span_bytes);
    const Layout store = make_layout(core, LayoutKind::FullyContiguous, MemoryKind::Pinned, blocks, span_bytes);
    const std::vector<BlockPair> pairs = strided_pairs(blocks);
    measure_row(core, clock, {store, cache}, Direction::HostToDevice, size, pairs, table);
    measure_row(core, clock, {cache, store}, Direction::DeviceToHost, size, pairs, table);
    measure_row(core, clock, {cache, other}, Direction::DeviceToDevice, size, pairs, table);
  }
  return table;
}

MechanismTable calibrated_table(TransferCore& core) {
  const DeviceCapabilities& device = core.device()->capabilities();
  if (device.emulated) return MechanismTable::built_in();
  struct Measured {
    Mutex mutex;
    std::map<std::string, MechanismTable> tables KVBM_GUARDED_BY(mutex);
  };
  static Measured measured;
  // A device with a capability forced off is another one.
  const std::string key = std::to_string(device.ordinal) + " " + device.name + (device.batched_copy ? " batched" : "") +
                          (device.bulk_copy ? " bulk" : "");
  {
    const MutexLock lock(measured.mutex);
    if (const auto found = measured.tables.find(key); found != measured.tables.end()) return found->second;
  }
  constexpr std::size_t kBytesMax = std::size_t{64} << 20;
  try {
    const MechanismTable table = measure_mechanisms(core, kBytesMax);
    const MutexLock lock(measured.mutex);
    return measured.tables.insert_or_assign(key, table).first->second;
  } catch (const DeviceError& error) {
    if (error.kind() == DeviceError::Kind::Broken) throw;
    return MechanismTable::built_in();
  }
}

}  // namespace kvbm
