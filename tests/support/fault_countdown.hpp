#pragma once

#include <cstddef>

namespace kvbm::test {

/// Counts the calls of one thread down to the one that is to fail.
class FaultCountdown {
 public:
  constexpr FaultCountdown() noexcept = default;
  /// The n-th call from now on, counted from 0, and each one after it.
  [[nodiscard]] static constexpr FaultCountdown from(std::size_t n) noexcept {
    FaultCountdown countdown;
    countdown.armed_ = true;
    countdown.left_ = n;
    return countdown;
  }

  /// Counts a call, and tells whether it has to fail.
  [[nodiscard]] constexpr bool reached() noexcept {
    if (!armed_) return false;
    if (left_ != 0) {
      --left_;
      return false;
    }
    return fired_ = true;
  }
  /// Later calls succeed.
  constexpr void disarm() noexcept { armed_ = false; }
  /// Whether a call has failed.
  [[nodiscard]] constexpr bool fired() const noexcept { return fired_; }

 private:
  bool armed_ = false;
  bool fired_ = false;
  std::size_t left_ = 0;
};

}  // namespace kvbm::test
