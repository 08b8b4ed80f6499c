#include "bench/support/option_values.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>

#include "bench/support/page_pool.hpp"

namespace kvbm::bench {

std::vector<std::string_view> split(std::string_view list) {
  std::vector<std::string_view> parts;
  for (std::size_t end = list.find(','); end != std::string_view::npos; end = list.find(',')) {
    parts.push_back(list.substr(0, end));
    list.remove_prefix(end + 1);
  }
  parts.push_back(list);
  return parts;
}

std::uint64_t whole_number(const char* option, std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    throw CLI::ValidationError(option, fmt::format("'{}' is not a whole number", text));
  }
  if (error == std::errc() && number >= least && number <= most) return number;
  throw CLI::ValidationError(option, fmt::format("{} is not from {} to {}", text, least, most));
}

std::vector<const Policy*> parse_policies(std::string_view list) {
  std::vector<const Policy*> policies;
  for (const std::string_view name : split(list)) {
    policies.push_back(find_policy(name));
    if (policies.back() != nullptr) continue;
    throw CLI::ValidationError("--policy", fmt::format("'{}' is none of {}", name, policy_names()));
  }
  return policies;
}

void check_page_bytes(std::uint64_t bytes) {
  if (bytes >= PagePool::kFewestPageBytes && bytes % PagePool::kPageBytesUnit == 0) return;
  throw CLI::ValidationError("--page-bytes", fmt::format("{} is not a multiple of {} from {} up", bytes,
                                                         PagePool::kPageBytesUnit, PagePool::kFewestPageBytes));
}

}  // namespace kvbm::bench
