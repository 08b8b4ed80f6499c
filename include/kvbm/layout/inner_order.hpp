#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace kvbm {

/// The order of dimensions inside a block, slowest first; head_dim is always the fastest.
enum class InnerOrder : std::uint8_t {
  Unknown,      ///< not declared; equal to itself only
  Nhd,          ///< [layers, outer, tokens, heads, head_dim]
  Hnd,          ///< [layers, outer, heads, tokens, head_dim]
  UniversalTp,  ///< [heads, layers, outer, tokens, head_dim]: a range of heads is one span
  UniversalPp,  ///< [layers, heads, outer, tokens, head_dim]; named, no kernel moves it yet
};

/// What it takes to get from one order to another.
enum class OrderTransform : std::uint8_t {
  None,           ///< the orders are equal: bytes are copied as they lie
  Transpose,      ///< within each cell, between Nhd and Hnd
  ToUniversal,    ///< Nhd or Hnd to UniversalTp
  FromUniversal,  ///< UniversalTp to Nhd or Hnd
};

/// Nhd or Hnd: a block is made of cells, and may be layer-separate.
[[nodiscard]] constexpr bool is_operational(InnerOrder order) noexcept {
  return order == InnerOrder::Nhd || order == InnerOrder::Hnd;
}
[[nodiscard]] constexpr bool is_universal(InnerOrder order) noexcept {
  return order == InnerOrder::UniversalTp || order == InnerOrder::UniversalPp;
}

/// Whether blocks lie as cells [layers, outer], each in one piece, whatever is in them.
[[nodiscard]] constexpr bool is_made_of_cells(InnerOrder order) noexcept {
  return order == InnerOrder::Unknown || is_operational(order);
}

/// Whether bytes cannot be copied as they lie. Unknown differs from every order but itself.
[[nodiscard]] constexpr bool requires_transform(InnerOrder source, InnerOrder target) noexcept {
  return source != target;
}

/// Absent if nothing gets from one to the other; the reason then is no_transform_text.
[[nodiscard]] constexpr std::optional<OrderTransform> transform_between(InnerOrder source, InnerOrder target) noexcept {
  if (!requires_transform(source, target)) return OrderTransform::None;
  if (is_operational(source) && is_operational(target)) return OrderTransform::Transpose;
  if (is_operational(source) && target == InnerOrder::UniversalTp) return OrderTransform::ToUniversal;
  if (source == InnerOrder::UniversalTp && is_operational(target)) return OrderTransform::FromUniversal;
  return std::nullopt;
}

/// Names both orders and the element width.
[[nodiscard]] std::string no_transform_text(InnerOrder source, InnerOrder target, std::uint32_t element_bytes);

/// "unknown", "nhd", "hnd", "universal-tp", "universal-pp".
[[nodiscard]] std::string_view to_text(InnerOrder order) noexcept;
/// The order of that name, which to_text gives.
[[nodiscard]] std::optional<InnerOrder> parse_inner_order(std::string_view text) noexcept;
/// Its dimensions, slowest first, as in "[layers, outer, tokens, heads, head_dim]"; "[]" for Unknown.
[[nodiscard]] std::string_view shape_text(InnerOrder order) noexcept;

}  // namespace kvbm
