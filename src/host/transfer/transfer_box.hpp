#pragma once

#include <cstdint>
#include <string>

#include "kernels/permute_cells.hpp"
#include "kvbm/base/result.hpp"
#include "kvbm/transfer/transfer_request.hpp"

namespace kvbm {

[[nodiscard]] inline Failure<TransferError> refuse(TransferError::Code code, std::string text) {
  return fail(TransferError{code, std::move(text)});
}

/// What a request takes the orders of its pages for: what it says, or what the layouts declare.
struct TransferOrders {
  InnerOrder source;
  InnerOrder target;
};
[[nodiscard]] TransferOrders orders_of(const TransferRequest& request) noexcept;

/// Indices of an axis that move.
struct BoxAxis {
  std::uint64_t source_start = 0;
  std::uint64_t target_start = 0;
  std::uint64_t length = 0;
};

/// What a request moves of each block. A cell is one row unless what is in it matters.
///
/// Units  row: bytes; the others: indices.
struct TransferBox {
  BoxAxis layers, outer, tokens, heads, row;
  kernels::RowGrid source_rows, target_rows;  ///< of whole pages

  [[nodiscard]] kernels::RowGrid rows() const noexcept {
    return {static_cast<std::uint32_t>(tokens.length), static_cast<std::uint32_t>(heads.length), row.length};
  }
};

/// Whether the two sides have the same shape but for axes that are sliced, and what the request names lies within both.
/// Errors  ShapeMismatch, LayerRangeOutOfRange, InvalidSlice.
[[nodiscard]] Result<void, TransferError> check_box(const TransferRequest& request);
/// Precondition: check_box found nothing, and there is a way between the orders.
[[nodiscard]] TransferBox box_of(const TransferRequest& request) noexcept;

}  // namespace kvbm
