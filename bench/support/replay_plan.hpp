#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "bench/support/policies.hpp"

namespace CLI {
class App;
}

namespace kvbm::bench {

/// What kvbm-replay is run over, with a scheduler or without, and how it answers.
struct ReplayPlan {
  std::string trace;
  std::vector<const Policy*> policies;   ///< in the order given; each is run over all sizes
  std::vector<std::uint32_t> g1_blocks;  ///< from 1 to ManagerOptions::kMostBlocks
  std::size_t page_bytes = 0;
  bool json = false;

  /// Precondition: there are sizes.
  [[nodiscard]] std::uint32_t largest() const noexcept;
};

/// The options of a plan as they are written, before their values have been looked at.
class PlanCommandLine {
 public:
  void add_to(CLI::App& app, ReplayPlan& plan);
  /// Errors  CLI::ValidationError naming the option.
  void read_into(ReplayPlan& plan) const;

 private:
  std::string policies_ = "lineage";
  std::string g1_blocks_;
  std::string page_bytes_ = "4096";
};

/// There is nothing to replay; what there was to say has been written.
struct ReplayExit {
  int status;  ///< 0 after --help, 2 after a mistake
};

/// Reads a command line and then checks it; check() throws CLI::ValidationError. Of an option that is given twice the
/// last one counts. Help goes to `out`, complaints to `err`. Nothing: go on.
[[nodiscard]] std::optional<ReplayExit> exit_after_parsing(CLI::App& app, int argc, const char* const* argv,
                                                           std::ostream& out, std::ostream& err,
                                                           const std::function<void()>& check);

}  // namespace kvbm::bench
