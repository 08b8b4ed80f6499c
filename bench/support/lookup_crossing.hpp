#pragma once

#include "bench/support/lookup_cases.hpp"
#include "bench/support/lookup_resident.hpp"

namespace kvbm::bench {

/// L3 and L7: questions and answers on the host, against copies of what crosses, and from which size on the device is
/// faster than the host.
void time_crossing(const LookupCases& cases, const DeviceBench& bench,
                   const kernels::PrefixTableView<kernels::FingerprintSlot>& table, EventView ready);

}  // namespace kvbm::bench
