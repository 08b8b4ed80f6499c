#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <ostream>
#include <string>
#include <string_view>
#include <utility>

#include "bench/support/progress.hpp"
#include "bench/support/replay_plan.hpp"
#include "bench/support/table.hpp"

namespace kvbm::bench {

/// Where kvbm-replay writes to.
struct ReplayStreams {
  std::ostream& out;  ///< results, and nothing else
  std::ostream& err;  ///< complaints
  std::ostream* bar;  ///< the progress bar; null if nobody would see it move
};

/// Complains, and gives the exit status for it: 2.
inline int refuse(std::ostream& err, std::string_view text) {
  constexpr int kRefused = 2;
  err << "kvbm-replay: " << text << '\n';
  return kRefused;
}

/// That a plan's largest cache cannot be had; the exit status.
inline int refuse_for_memory(std::ostream& err, const ReplayPlan& plan) {
  return refuse(err, fmt::format("--g1-blocks: there is no memory for {} blocks with pages of {} bytes",
                                 grouped(plan.largest()), grouped(plan.page_bytes)));
}

/// Runs all policies of a plan over all its sizes, writing results as they come if they are JSON, else all at the end.
///
/// `mode` has  run(policy, blocks, bar) -> an outcome, which advances the bar by `steps`; row(outcome),
/// heading(outcome)
///             and json(outcome) -> its texts; add(outcome), called once for each.
template <class Mode>
void run_all(const ReplayPlan& plan, std::uint64_t steps, const ReplayStreams& streams, Table table, Mode&& mode) {
  ProgressBar bar(streams.bar, plan.policies.size() * plan.g1_blocks.size() * steps);
  std::string title;
  for (const Policy* policy : plan.policies) {
    table.add_rule();
    for (const std::uint32_t blocks : plan.g1_blocks) {
      bar.set_label(fmt::format("{:>12} {:>10}", policy->name, grouped(blocks)));
      const auto outcome = mode.run(*policy, blocks, bar);
      mode.add(outcome);
      table.add_row(mode.row(outcome));
      title = mode.heading(outcome);
      if (!plan.json) continue;
      bar.clear();
      streams.out << mode.json(outcome) << std::endl;
    }
  }
  bar.clear();
  if (!plan.json) streams.out << title << table.text() << std::flush;
}

}  // namespace kvbm::bench
