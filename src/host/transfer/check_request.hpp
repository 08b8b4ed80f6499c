#pragma once

#include "kvbm/base/result.hpp"
#include "kvbm/device/device.hpp"
#include "kvbm/transfer/transfer_request.hpp"
#include "transfer/block_marks.hpp"

namespace kvbm {

/// Whether what the request names lies within both sides (check_box), these have memory of this device, or device
/// memory that its copy calls reach, and the ids name pages that may be moved. `marks` is empty before and after.
///
/// Cost    O(blocks of the request). A pair of layouts in the same kind of memory also compares their regions.
/// Errors  TransferError naming every id that is named twice; std::bad_alloc.
[[nodiscard]] Result<void, TransferError> check_request(const TransferRequest& request, const Device* device,
                                                        BlockMarks& marks);

}  // namespace kvbm
