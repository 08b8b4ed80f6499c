#pragma once

#include <cstdint>
#include <ostream>
#include <string>

namespace kvbm::bench {

/// A bar on one line of a terminal, wiped away at the end.
///
/// Threads  one at a time.
class ProgressBar {
 public:
  /// Draws on `out`, or does nothing if that is null. Precondition: `out` is a terminal and outlives this.
  ProgressBar(std::ostream* out, std::uint64_t total) noexcept : out_(out), total_(total) {}
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }

  /// What is being done, to the left of the bar.
  void set_label(std::string label);
  void advance(std::uint64_t steps) {
    done_ += steps;
    if (out_ != nullptr && done_ >= next_) draw();
  }
  /// Makes the line empty, so that something else can be written there.
  void clear();

 private:
  void draw();

  std::ostream* const out_;
  const std::uint64_t total_;
  std::uint64_t done_ = 0;
  std::uint64_t next_ = 0;  // when the bar looks different
  std::string label_;
};

}  // namespace kvbm::bench
