#pragma once

#include <cstddef>
#include <istream>
#include <string>

namespace kvbm::conformance {

/// Reads a file of any size line by line.
class LineReader {
 public:
  static constexpr std::size_t kLongest = std::size_t{64} << 20;  // bytes

  /// `input` outlives the reader.
  explicit LineReader(std::istream& input) noexcept : input_(input) {}

  /// Puts the next line, without its end, into `line`; false behind the last one.
  /// Errors  std::invalid_argument for a line longer than kLongest; std::ios_base::failure where the file cannot be
  ///         read.
  [[nodiscard]] bool next(std::string& line);

  /// Of the line read last, from 1; 0 before the first.
  [[nodiscard]] std::size_t number() const noexcept { return number_; }

 private:
  std::istream& input_;
  std::size_t number_ = 0;
};

}  // namespace kvbm::conformance
