#pragma once

#include <algorithm>
#include <array>
#include <optional>
#include <stdexcept>
#include <vector>

#include "kvbm/device/emulated_device.hpp"

namespace kvbm {

/// Counts the calls of a device and says which of them fail. Not safe for threads.
class FaultPlan {
 public:
  using Effect = DeviceFault::Effect;

  /// Errors  std::invalid_argument for n = 0.
  void add(DeviceFault fault) {
    if (fault.n == 0) throw std::invalid_argument("faults are counted from 1");
    faults_.push_back(fault);
  }

  /// One more call of that kind: what happens to it, if anything. Of two faults for one call the first added counts.
  [[nodiscard]] std::optional<Effect> next(FaultKind kind) noexcept {
    const std::uint64_t n = ++counts_[static_cast<std::size_t>(kind)];
    const auto found = std::find_if(faults_.begin(), faults_.end(),
                                    [&](const DeviceFault& fault) { return fault.kind == kind && fault.n == n; });
    return found == faults_.end() ? std::nullopt : std::optional(found->effect);
  }

  [[nodiscard]] DeviceCallCounts counts() const noexcept {
    return {.copies = count(FaultKind::Copy),
            .allocations = count(FaultKind::Allocation),
            .launches = count(FaultKind::Launch),
            .events = count(FaultKind::Event)};
  }

 private:
  [[nodiscard]] std::uint64_t count(FaultKind kind) const noexcept { return counts_[static_cast<std::size_t>(kind)]; }

  std::vector<DeviceFault> faults_;
  std::array<std::uint64_t, 4> counts_{};
};

}  // namespace kvbm
