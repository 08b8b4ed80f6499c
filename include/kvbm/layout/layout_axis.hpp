#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace kvbm {

/// What the indices of one dimension of a layout count.
enum class Axis : std::uint8_t {
  Block,
  Layer,
  Outer,  ///< K, V
  TokenInBlock,
  Head,
  HeadDim,  ///< elements of one head and token
  Payload,  ///< elements of a cell, where nobody declared their order or the heads
};

/// "block", "layer", "outer", "token", "head", "head_dim", "payload".
[[nodiscard]] std::string_view to_text(Axis axis) noexcept;

/// One dimension of a view.
///
/// Units  stride: bytes from index to index; 0 for the axis that selects the region.
struct ViewAxis {
  Axis axis = Axis::Block;
  std::uint64_t extent = 0;  ///< indices are [0, extent)
  std::uint64_t stride = 0;
  std::uint64_t start = 0;  ///< where index 0 lies in the whole axis
  std::uint64_t whole = 0;  ///< extent of the whole axis, of which a view may show a part

  constexpr ViewAxis() noexcept = default;
  constexpr ViewAxis(Axis named, std::uint64_t indices, std::uint64_t bytes) noexcept
      : axis(named), extent(indices), stride(bytes), whole(indices) {}

  friend constexpr bool operator==(const ViewAxis&, const ViewAxis&) = default;
};

/// An index for each axis that is to have one.
struct AxisIndices {
  std::optional<std::uint64_t> block{}, layer{}, outer{}, token{}, head{}, head_dim{}, payload{};

  [[nodiscard]] constexpr std::optional<std::uint64_t>& operator[](Axis axis) noexcept {
    std::optional<std::uint64_t>* const all[] = {&block, &layer, &outer, &token, &head, &head_dim, &payload};
    return *all[static_cast<std::size_t>(axis)];
  }
  [[nodiscard]] constexpr const std::optional<std::uint64_t>& operator[](Axis axis) const noexcept {
    return const_cast<AxisIndices&>(*this)[axis];
  }
  /// Axes that have one.
  [[nodiscard]] constexpr std::size_t count() const noexcept {
    std::size_t given = 0;
    for (const auto& each : {block, layer, outer, token, head, head_dim, payload}) given += each.has_value();
    return given;
  }
};

}  // namespace kvbm
