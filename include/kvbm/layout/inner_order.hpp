#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "kvbm/layout/layout_axis.hpp"

namespace kvbm {

/// The order of dimensions inside a block, slowest first; head_dim is always the fastest.
enum class InnerOrder : std::uint8_t {
  Unknown,      ///< not declared; equal to itself only
  Nhd,          ///< [layers, outer, tokens, heads, head_dim]
  Hnd,          ///< [layers, outer, heads, tokens, head_dim]
  UniversalTp,  ///< [heads, layers, outer, tokens, head_dim]: a range of heads is one span
  UniversalPp,  ///< [layers, heads, outer, tokens, head_dim]; named, no kernel turns it into another
  // Behind it: what custom_order() gives.
};

/// Unknown, the named orders, and the 20 that have no name.
inline constexpr std::size_t kInnerOrders = 25;

/// What precedes head_dim: Layer, Outer, TokenInBlock and Head, each once, slowest first.
using OrderAxes = std::array<Axis, 4>;

/// The axes of each order; Unknown has those of Nhd, of which nobody makes use.
inline constexpr std::array<OrderAxes, kInnerOrders> kOrderAxes = [] {
  using enum Axis;
  std::array<OrderAxes, kInnerOrders> all{{{Layer, Outer, TokenInBlock, Head},
                                           {Layer, Outer, TokenInBlock, Head},
                                           {Layer, Outer, Head, TokenInBlock},
                                           {Head, Layer, Outer, TokenInBlock},
                                           {Layer, Head, Outer, TokenInBlock}}};
  constexpr std::size_t kNamed = 5;
  std::size_t count = kNamed;
  OrderAxes axes = all.front();
  do {
    if (std::find(all.begin(), all.begin() + kNamed, axes) == all.begin() + kNamed) all[count++] = axes;
  } while (std::next_permutation(axes.begin(), axes.end()));
  return all;
}();

/// The order of these axes: a named one if there is one, else a custom one. Absent unless each of the four is there.
[[nodiscard]] constexpr std::optional<InnerOrder> custom_order(const OrderAxes& slowest_first) noexcept {
  const auto found = std::find(kOrderAxes.begin() + 1, kOrderAxes.end(), slowest_first);
  if (found == kOrderAxes.end()) return std::nullopt;
  return static_cast<InnerOrder>(found - kOrderAxes.begin());
}

/// Precondition: not Unknown.
[[nodiscard]] constexpr const OrderAxes& axes_of(InnerOrder order) noexcept {
  return kOrderAxes[static_cast<std::size_t>(order)];
}

/// An order without a name: fully contiguous, and moved from and to itself only.
[[nodiscard]] constexpr bool is_custom(InnerOrder order) noexcept { return order > InnerOrder::UniversalPp; }

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

/// "unknown", "nhd", "hnd", "universal-tp", "universal-pp"; of a custom one its axes, as in
/// "custom:token-head-layer-outer".
[[nodiscard]] std::string_view to_text(InnerOrder order) noexcept;
/// The order of that name, which to_text gives.
[[nodiscard]] std::optional<InnerOrder> parse_inner_order(std::string_view text) noexcept;
/// Its dimensions, slowest first, as in "[layers, outer, tokens, heads, head_dim]"; "[]" for Unknown.
[[nodiscard]] std::string_view shape_text(InnerOrder order) noexcept;

}  // namespace kvbm
