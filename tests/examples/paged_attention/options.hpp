#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "kvbm/device/emulated_device.hpp"

namespace engine {

/// What the command line asks for.
struct Options {
  enum class DeviceChoice : std::uint8_t { Auto, Cuda, Emulated };
  bool help = false;
  DeviceChoice device = DeviceChoice::Auto;
  std::uint32_t requests = 1000;
  std::uint64_t seed = 1;
  std::uint32_t g1_blocks = 56;
  std::uint32_t g2_blocks = 160;
  std::optional<std::uint64_t> delays{};
  std::vector<kvbm::DeviceFault> faults{};
  std::optional<kvbm::DeviceFault> swept_fault{};  ///< at one call after the other, a trial each
  bool expect_all_paths = false;

  static constexpr const char* kUsage =
      "paged_attention [--device auto|cuda|emulated] [--requests N] [--seed S] [--g1-blocks N] [--g2-blocks N]\n"
      "                [--delays SEED] [--faults KIND:N[:EFFECT]]... [--expect-all-paths]\n"
      "  KIND    copy, allocation, launch or event: the N-th such call; N may be `each`: a trial for each\n"
      "  EFFECT  refuse (default), late or break\n"
      "--delays and --faults are for the emulated device.\n";
};

/// The options, or what is wrong with them.
[[nodiscard]] std::variant<Options, std::string> parse_options(const std::vector<std::string>& arguments);

}  // namespace engine
