#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "bench/support/policies.hpp"

namespace kvbm::bench {

// Values of options that CLI11 does not check by itself. Errors  CLI::ValidationError naming the option.

/// The parts of a comma-separated list; one part if there is no comma.
[[nodiscard]] std::vector<std::string_view> split(std::string_view list);

/// A whole number from `least` to `most`.
[[nodiscard]] std::uint64_t whole_number(const char* option, std::string_view text, std::uint64_t least = 0,
                                         std::uint64_t most = std::numeric_limits<std::uint64_t>::max());

/// The policies of --policy, in the order given.
[[nodiscard]] std::vector<const Policy*> parse_policies(std::string_view list);

/// Throws unless a PagePool can have pages of this size.
void check_page_bytes(std::uint64_t bytes);

}  // namespace kvbm::bench
