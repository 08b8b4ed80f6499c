#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <optional>

#include "mismatch.hpp"

namespace kvbm::conformance {

/// Checks one recorded line of token hashes: a sequence, a packing of either kind, a salt, or a course of edits.
/// Adds the comparisons it made to `checks`, and returns the first that differs.
/// Errors  std::invalid_argument saying what is wrong with a line that cannot be checked.
[[nodiscard]] std::optional<Mismatch> check_token_line(const nlohmann::json& line, std::size_t& checks);

}  // namespace kvbm::conformance
