#include "bench/support/replay_plan.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <string_view>

#include "bench/support/option_values.hpp"

namespace kvbm::bench {

std::uint32_t ReplayPlan::largest() const noexcept { return *std::max_element(g1_blocks.begin(), g1_blocks.end()); }

void PlanCommandLine::add_to(CLI::App& app, ReplayPlan& plan) {
  app.add_option("--trace", plan.trace, "the trace: one JSON object a line, with input_length and hash_ids")
      ->required()
      ->take_last()
      ->type_name("FILE");
  app.add_option("--g1-blocks", g1_blocks_, "sizes of the cache in blocks")
      ->required()
      ->take_last()
      ->type_name("N[,N...]");
  app.add_option("--policy", policies_, fmt::format("eviction policies out of {}", policy_names()))
      ->capture_default_str()
      ->take_last()
      ->type_name("NAME[,NAME...]");
  app.add_option("--page-bytes", page_bytes_, "bytes of a page, a multiple of 16 from 64 up")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  app.add_flag("--json", plan.json, "print one JSON object a line instead of a table");
}

void PlanCommandLine::read_into(ReplayPlan& plan) const {
  plan.policies = parse_policies(policies_);
  for (const std::string_view blocks : split(g1_blocks_)) {
    plan.g1_blocks.push_back(
        static_cast<std::uint32_t>(whole_number("--g1-blocks", blocks, 1, ManagerOptions::kMostBlocks)));
  }
  plan.page_bytes = whole_number("--page-bytes", page_bytes_);
  check_page_bytes(plan.page_bytes);
}

std::optional<ReplayExit> exit_after_parsing(CLI::App& app, int argc, const char* const* argv, std::ostream& out,
                                             std::ostream& err, const std::function<void()>& check) {
  try {
    app.parse(argc, argv);
    check();
    return std::nullopt;
  } catch (const CLI::ParseError& stop) {
    return ReplayExit{app.exit(stop, out, err) == 0 ? 0 : 2};
  }
}

}  // namespace kvbm::bench
