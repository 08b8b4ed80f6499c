#pragma once

#include <cstddef>

#include "transfer/mechanism_table.hpp"

namespace kvbm {

class TransferCore;

/// Times each mechanism at each point of the table, from the request to its end, by transfers between scattered pages
/// on the device and whole ones elsewhere. Points of more than `bytes_max` continue the line through those below;
/// sizes of which one page is more stay as they are built in.
///
/// Cost    2 * bytes_max of device memory and bytes_max of pinned memory, for as long as it takes.
/// Errors  DeviceError, std::bad_alloc.
[[nodiscard]] MechanismTable measure_mechanisms(TransferCore& core, std::size_t bytes_max);

/// The table of the core's device: measured once per device and process, the built-in one if it is emulated, or has not
/// the memory to spare.
[[nodiscard]] MechanismTable calibrated_table(TransferCore& core);

}  // namespace kvbm
