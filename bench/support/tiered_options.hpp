#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "bench/support/device_options.hpp"
#include "kvbm/layout/layout_config.hpp"
#include "kvbm/tiering/tiering_options.hpp"

namespace CLI {
class App;
}

namespace kvbm::bench {

/// What kvbm-replay is told about a second tier.
struct TieredOptions {
  std::uint32_t g2_blocks = 0;  ///< from 1 to ManagerOptions::kMostBlocks
  TierMode mode = TierMode::Exclusive;
  LayoutKind g1_layout = LayoutKind::FullyContiguous;  ///< G2 is always fully contiguous
  std::uint32_t layers = 0;
  std::size_t page_bytes = 0;  ///< of a page over all layers
  DeviceOptions device{};
};

/// The part of the command line that speaks of tiers: as written, and as understood.
class TieredCommandLine {
 public:
  void add_to(CLI::App& app);
  /// Nothing without --g2-blocks. Errors  CLI::ValidationError naming the option.
  [[nodiscard]] std::optional<TieredOptions> options(std::size_t page_bytes, bool tail_first,
                                                     const DeviceOptions& device) const;

 private:
  std::string g2_blocks_;
  std::string mode_ = "exclusive";
  std::string layout_ = "fc";
  std::string layers_ = "4";
};

}  // namespace kvbm::bench
