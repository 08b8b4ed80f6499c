#include "bench/support/progress.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kvbm::bench {
namespace {

constexpr std::uint64_t kPercent = 100;
constexpr std::uint64_t kCells = 40;

}  // namespace

void ProgressBar::set_label(std::string label) {
  label_ = std::move(label);
  if (out_ != nullptr) draw();
}

void ProgressBar::draw() {
  const std::uint64_t percent = total_ == 0 ? kPercent : std::min(kPercent, done_ * kPercent / total_);
  next_ = (percent + 1) * total_ / kPercent;
  const std::string bar(percent * kCells / kPercent, '#');
  *out_ << fmt::format("\r\x1B[K{} [{:<{}}] {:>3} %", label_, bar, kCells, percent) << std::flush;
}

void ProgressBar::clear() {
  if (out_ != nullptr) *out_ << "\r\x1B[K" << std::flush;
}

}  // namespace kvbm::bench
