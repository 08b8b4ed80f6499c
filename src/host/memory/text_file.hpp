#pragma once

#include <fstream>
#include <iterator>
#include <optional>
#include <string>

namespace kvbm {

/// All of a small file, nothing if it cannot be read.
[[nodiscard]] inline std::optional<std::string> read_text_file(const std::string& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::string text{std::istreambuf_iterator<char>(file), {}};
  if (file.bad()) return std::nullopt;
  return text;
}

}  // namespace kvbm
