#include "bench/support/pages_cases.hpp"

#include <algorithm>
#include <array>
#include <exception>
#include <optional>

namespace kvbm::bench {
namespace {

void measure_occupation(PagesWorld& world) {
  measure_thread_blocks(world);
  measure_beside(world);
}

constexpr std::array kCases{PagesCase{"C1", &measure_offload},       PagesCase{"C2", &measure_onboard},
                            PagesCase{"C3", &measure_choice},        PagesCase{"C4", &measure_whole_pages},
                            PagesCase{"C5", &measure_permutations},  PagesCase{"C6", &measure_both_directions},
                            PagesCase{"C7", &measure_submission},    PagesCase{"C8", &measure_occupation},
                            PagesCase{"C9", &measure_pinned_memory}, PagesCase{"K1", &measure_checksums},
                            PagesCase{"K3", &compare_checksums}};

}  // namespace

std::span<const PagesCase> pages_cases() noexcept { return kCases; }

const PagesCase* find_pages_case(std::string_view id) noexcept {
  const auto* const found =
      std::find_if(kCases.begin(), kCases.end(), [id](const PagesCase& one) { return one.id == id; });
  return found == kCases.end() ? nullptr : found;
}

PagesReport run_pages_case(const PagesCase& which, const std::shared_ptr<Device>& device, const PagesOptions& options) {
  const std::string id(which.id);
  std::optional<PagesWorld> world;
  PagesReport failed{.device = device->capabilities().name, .emulated = device->capabilities().emulated};
  try {
    world.emplace(device, options, id);
    which.run(*world);
  } catch (const std::exception& error) {
    failed.failures.push_back({id, error.what()});
  }
  if (!world) return failed;
  PagesReport report = std::move(world->report());
  report.append(std::move(failed));
  return report;
}

}  // namespace kvbm::bench
