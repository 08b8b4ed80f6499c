#include "transfer/mechanism_table.hpp"

#include <algorithm>
#include <cmath>
#include <optional>

#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

/// Time of one transfer: fixed + count * per_span + bytes / bytes_per_us.
struct Cost {
  double fixed_us;
  double span_us;
  double bytes_per_us;
};

/// Close to what an H100 on PCIe Gen5 shows (bench/results); only their ratios matter here.
Cost cost_of(Direction direction, Mechanism mechanism) noexcept {
  const bool on_device = direction == Direction::DeviceToDevice;
  const double engine = on_device ? 1'500'000 : 55'000;
  switch (mechanism) {
    case Mechanism::Copies:
      return {5, 3.0, engine};
    case Mechanism::BatchedCopy:  // never merges neighbours, and costs each descriptor
      return {10, 0.5, engine};
    case Mechanism::CopyKernel:  // reads over the link are slower than writes
      return {10, 0.01, on_device ? 1'400'000.0 : direction == Direction::HostToDevice ? 50'500.0 : 52'000.0};
    case Mechanism::BulkCopyKernel:
      return {10, 0.01, on_device ? 1'450'000.0 : direction == Direction::HostToDevice ? 50'600.0 : 52'100.0};
    default:  // Staged: the engine's rate less the hop on the device, and a batch of latency
      return {60, 0.005, 53'500};
  }
}

/// A kernel that reads or writes over the link is in the way of the model's kernels, and of copies the other way
/// (bench/results, C6 and C8). It has to be faster than the engine by more than the noise of a measurement.
constexpr double kKernelHandicap = 1.05;

bool is_kernel(Mechanism mechanism) noexcept {
  return mechanism == Mechanism::CopyKernel || mechanism == Mechanism::BulkCopyKernel;
}

std::size_t index_of(Mechanism mechanism) noexcept {
  const auto& all = MechanismTable::kMechanisms;
  const auto found = std::find(all.begin(), all.end(), mechanism);
  KVBM_ASSERT(found != all.end(), "a mechanism that the table compares");
  return static_cast<std::size_t>(found - all.begin());
}

/// Where a value lies among the points of one axis: between two of them, or beyond the last two.
struct Place {
  std::size_t below;
  double share_above;  ///< 0 at `below`, 1 at the next point
};

template <class Value, std::size_t kPoints>
Place place_of(const std::array<Value, kPoints>& axis, double value) noexcept {
  std::size_t below = 0;
  while (below + 2 < kPoints && value >= static_cast<double>(axis[below + 1])) ++below;
  const auto low = static_cast<double>(axis[below]);
  return {below, std::max(0.0, (value - low) / (static_cast<double>(axis[below + 1]) - low))};
}

}  // namespace

const char* to_text(Mechanism mechanism) noexcept {
  switch (mechanism) {
    case Mechanism::HostCopy:
      return "HostCopy";
    case Mechanism::Copies:
      return "Copies";
    case Mechanism::BatchedCopy:
      return "BatchedCopy";
    case Mechanism::CopyKernel:
      return "CopyKernel";
    case Mechanism::BulkCopyKernel:
      return "BulkCopyKernel";
    case Mechanism::PermuteKernel:
      return "PermuteKernel";
    case Mechanism::Staged:
      return "Staged";
  }
  return "?";
}

MechanismTable MechanismTable::built_in() noexcept {
  MechanismTable table;
  for (std::size_t direction = 0; direction < kDirections; ++direction) {
    for (const Mechanism mechanism : kMechanisms) {
      const Cost cost = cost_of(static_cast<Direction>(direction), mechanism);
      for (std::size_t size = 0; size < kSpanBytes.size(); ++size) {
        for (std::size_t count = 0; count < kCounts.size(); ++count) {
          const double bytes = static_cast<double>(kSpanBytes[size]) * kCounts[count];
          const double us = cost.fixed_us + kCounts[count] * cost.span_us + bytes / cost.bytes_per_us;
          table.set(static_cast<Direction>(direction), mechanism, size, count, us);
        }
      }
    }
  }
  return table;
}

void MechanismTable::set(Direction direction, Mechanism mechanism, std::size_t size_index, std::size_t count_index,
                         double microseconds) noexcept {
  times_[static_cast<std::size_t>(direction)][index_of(mechanism)][size_index][count_index] = microseconds;
}

const MechanismTable::Grid& MechanismTable::grid(Direction direction, Mechanism mechanism) const noexcept {
  KVBM_ASSERT(direction != Direction::HostToHost, "the CPU has one way only");
  return times_[static_cast<std::size_t>(direction)][index_of(mechanism)];
}

double MechanismTable::time(Direction direction, Mechanism mechanism, std::size_t span_bytes,
                            std::uint64_t count) const noexcept {
  const Grid& times = grid(direction, mechanism);
  const Place size = place_of(kSpanBytes, static_cast<double>(span_bytes));
  const Place number = place_of(kCounts, static_cast<double>(count));
  const auto along_counts = [&](std::size_t row) {
    return std::lerp(times[row][number.below], times[row][number.below + 1], number.share_above);
  };
  return std::lerp(along_counts(size.below), along_counts(size.below + 1), size.share_above);
}

Mechanism MechanismTable::choose(Direction direction, std::size_t span_bytes, std::uint64_t count,
                                 MechanismSet possible) const noexcept {
  const bool in_one_call = count > 1 && possible.contains(Mechanism::BatchedCopy);  // which loses to no other calls
  if (in_one_call) possible.erase(Mechanism::Copies);
  const Mechanism engine = in_one_call ? Mechanism::BatchedCopy : Mechanism::Copies;
  if (direction != Direction::DeviceToDevice && span_bytes >= kEngineBytes && possible.contains(engine)) return engine;
  std::optional<double> least;
  Mechanism best = Mechanism::Copies;
  for (const Mechanism mechanism : kMechanisms) {
    if (!possible.contains(mechanism)) continue;
    double microseconds = time(direction, mechanism, span_bytes, count);
    if (direction != Direction::DeviceToDevice && is_kernel(mechanism)) microseconds *= kKernelHandicap;
    if (least && microseconds >= *least) continue;
    least = microseconds;
    best = mechanism;
  }
  KVBM_ASSERT(least.has_value(), "at least one mechanism is possible");
  return best;
}

}  // namespace kvbm
