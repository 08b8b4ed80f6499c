#include "bench/support/tiered_options.hpp"

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <charconv>
#include <limits>
#include <string_view>

#include "bench/support/tiered_pages.hpp"
#include "kvbm/manager/manager_options.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint64_t kMost = std::numeric_limits<std::uint64_t>::max();

std::uint64_t number(const char* option, std::string_view text, std::uint64_t least, std::uint64_t most) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error == std::errc::invalid_argument || end != text.data() + text.size()) {
    throw CLI::ValidationError(option, fmt::format("'{}' is not a whole number", text));
  }
  if (error == std::errc() && value >= least && value <= most) return value;
  throw CLI::ValidationError(option, fmt::format("{} is not from {} to {}", text, least, most));
}

DeviceFault fault(std::string_view text) {
  constexpr const char* kOption = "--emulate-faults";
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) {
    throw CLI::ValidationError(kOption, fmt::format("'{}' is not KIND:N", text));
  }
  const std::uint64_t n = number(kOption, text.substr(colon + 1), 1, kMost);
  const std::string_view kind = text.substr(0, colon);
  if (kind == "copy") return {FaultKind::Copy, n};
  if (kind == "allocation") return {FaultKind::Allocation, n};
  if (kind == "launch") return {FaultKind::Launch, n};
  if (kind == "event") return {FaultKind::Event, n};
  throw CLI::ValidationError(kOption, fmt::format("'{}' is none of copy, allocation, launch, event", kind));
}

std::vector<DeviceFault> faults(std::string_view list) {
  std::vector<DeviceFault> all;
  while (!list.empty()) {
    const std::size_t comma = std::min(list.find(','), list.size());
    all.push_back(fault(list.substr(0, comma)));
    list.remove_prefix(std::min(comma + 1, list.size()));
  }
  return all;
}

}  // namespace

void TieredCommandLine::add_to(CLI::App& app) {
  app.add_option("--g2-blocks", g2_blocks_, "size of a second tier in pinned host memory, in blocks; none without it")
      ->take_last()
      ->type_name("N");
  app.add_option("--tiers", mode_, "whether a block may be in both tiers: exclusive or inclusive")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"exclusive", "inclusive"}))
      ->type_name("MODE");
  app.add_option("--device", device_, "what holds the pages of two tiers: cuda, emulated, or auto for a GPU if any")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"auto", "cuda", "emulated"}))
      ->type_name("DEVICE");
  app.add_option("--layout", layout_, "pages of the first tier: fc, in one piece, or ls, one piece for each layer")
      ->capture_default_str()
      ->take_last()
      ->check(CLI::IsMember({"fc", "ls"}))
      ->type_name("KIND");
  app.add_option("--layers", layers_, "layers of a page of two tiers")
      ->capture_default_str()
      ->take_last()
      ->type_name("N");
  app.add_option("--emulate-delays", delays_, "let the work of an emulated device come late, as this number decides")
      ->take_last()
      ->type_name("SEED");
  app.add_option("--emulate-faults", faults_, "let the N-th copy, allocation, launch or event call fail")
      ->take_last()
      ->type_name("KIND:N[,KIND:N...]");
}

std::optional<TieredOptions> TieredCommandLine::options(std::size_t page_bytes, bool tail_first) const {
  if (g2_blocks_.empty()) return std::nullopt;
  TieredOptions options;
  options.g2_blocks = static_cast<std::uint32_t>(number("--g2-blocks", g2_blocks_, 1, ManagerOptions::kMostBlocks));
  options.mode = mode_ == "inclusive" ? TierMode::Inclusive : TierMode::Exclusive;
  options.device = device_ == "cuda" ? DeviceChoice::Cuda : DeviceChoice::Auto;
  options.g1_layout = layout_ == "ls" ? LayoutKind::LayerSeparateBlockFirst : LayoutKind::FullyContiguous;
  options.layers = static_cast<std::uint32_t>(number("--layers", layers_, 1, 1024));
  options.page_bytes = page_bytes;
  if (page_bytes % TieredPages::page_bytes_unit(options.layers) != 0) {
    throw CLI::ValidationError(
        "--page-bytes", fmt::format("{} is not a multiple of {}, 16 bytes each of K and V in {} layers", page_bytes,
                                    TieredPages::page_bytes_unit(options.layers), options.layers));
  }
  if (!tail_first) throw CLI::ValidationError("--release", "two tiers are released tail first");
  if (!delays_.empty()) options.emulated.delay_seed = number("--emulate-delays", delays_, 0, kMost);
  options.emulated.faults = faults(faults_);
  const bool emulated = !delays_.empty() || !faults_.empty();
  if (emulated && options.device == DeviceChoice::Cuda) {
    throw CLI::ValidationError("--device", "a GPU has neither emulated delays nor emulated faults");
  }
  if (emulated || device_ == "emulated") options.device = DeviceChoice::Emulated;
  return options;
}

}  // namespace kvbm::bench
