#pragma once

#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "bench/support/pages_world.hpp"

namespace kvbm::bench {

/// A goal for moving pages, measured: adds its rows to the world's report. Cases depend on nothing but their world.
struct PagesCase {
  std::string_view id;
  void (*run)(PagesWorld& world);
};

/// All, in the order in which they run.
[[nodiscard]] std::span<const PagesCase> pages_cases() noexcept;
/// Null if there is none of that name.
[[nodiscard]] const PagesCase* find_pages_case(std::string_view id) noexcept;
/// Runs one in a world of its own. What it throws becomes a failure, beside the rows it had by then.
[[nodiscard]] PagesReport run_pages_case(const PagesCase& which, const std::shared_ptr<Device>& device,
                                         const PagesOptions& options);

void measure_offload(PagesWorld& world);          // C1: fragments on the device, whole pages on the host
void measure_onboard(PagesWorld& world);          // C2: the other way
void measure_choice(PagesWorld& world);           // C3: fragments on both sides, by each mechanism
void measure_whole_pages(PagesWorld& world);      // C4
void measure_permutations(PagesWorld& world);     // C5
void measure_both_directions(PagesWorld& world);  // C6
void measure_submission(PagesWorld& world);       // C7
void measure_thread_blocks(PagesWorld& world);    // C8: how many a copy takes
void measure_beside(PagesWorld& world);           // and what it does to others
void measure_pinned_memory(PagesWorld& world);    // C9
void measure_checksums(PagesWorld& world);        // K1: their time beside a copy
void compare_checksums(PagesWorld& world);        // K3: device against host

}  // namespace kvbm::bench
