#include "bench/support/tiered_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>

#include "bench/support/option_values.hpp"
#include "bench/support/tiered_pages.hpp"
#include "kvbm/manager/manager_options.hpp"

namespace kvbm::bench {
void TieredCommandLine::add_to(CLI::App& app) {
  app.add_option("--g2-blocks", g2_blocks_, "size of a second tier in pinned host memory, in blocks; none without it")
      ->take_last()
      ->type_name("N");
  app.add_option("--tiers", mode_, "whether a block may be in both tiers: exclusive or inclusive")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"exclusive", "inclusive"}))
      ->type_name("MODE");
  app.add_option("--layout", layout_, "pages of the first tier: fc, in one piece, or ls, one piece for each layer")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"fc", "ls"}))
      ->type_name("KIND");
  app.add_option("--layers", layers_, "layers of a page of two tiers")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
}

std::optional<TieredOptions> TieredCommandLine::options(std::size_t page_bytes, bool tail_first,
                                                        const DeviceOptions& device) const {
  if (g2_blocks_.empty()) return std::nullopt;
  TieredOptions options;
  options.g2_blocks =
      static_cast<std::uint32_t>(whole_number("--g2-blocks", g2_blocks_, 1, ManagerOptions::kMostBlocks));
  options.mode = mode_ == "inclusive" ? TierMode::Inclusive : TierMode::Exclusive;
  options.device = device;
  options.g1_layout = layout_ == "ls" ? LayoutKind::LayerSeparateBlockFirst : LayoutKind::FullyContiguous;
  options.layers = static_cast<std::uint32_t>(whole_number("--layers", layers_, 1, 1024));
  options.page_bytes = page_bytes;
  if (page_bytes % TieredPages::page_bytes_unit(options.layers) != 0) {
    throw CLI::ValidationError(
        "--page-bytes", fmt::format("{} is not a multiple of {}, 16 bytes each of K and V in {} layers", page_bytes,
                                    TieredPages::page_bytes_unit(options.layers), options.layers));
  }
  if (!tail_first) throw CLI::ValidationError("--release", "two tiers are released tail first");
  return options;
}

}  // namespace kvbm::bench
