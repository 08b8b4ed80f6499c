#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>

#include "kvbm/base/result.hpp"
#include "kvbm/layout/layout_config.hpp"

namespace kvbm {

/// Names one layout of one worker, over process borders.
///
/// Shape  128 bits, little-endian: worker 0-63, layout 64-79, zero 80-127.
struct LayoutHandle {
  std::uint64_t worker = 0;
  std::uint16_t layout = 0;

  friend auto operator<=>(const LayoutHandle&, const LayoutHandle&) = default;
};

[[nodiscard]] std::array<std::byte, 16> to_bytes(LayoutHandle handle) noexcept;
/// Absent if the reserved bits are not zero.
[[nodiscard]] std::optional<LayoutHandle> parse_layout_handle(std::span<const std::byte, 16> bytes) noexcept;
/// "worker:layout", in decimal.
[[nodiscard]] std::string to_text(LayoutHandle handle);

/// Hands out the handles of one worker: 65,535 of them, none twice.
///
/// Threads  any.
class LayoutHandles {
 public:
  explicit LayoutHandles(std::uint64_t worker) noexcept : worker_(worker) {}

  /// Errors  LayoutError::TooManyLayouts.
  [[nodiscard]] Result<LayoutHandle, LayoutError> next();

 private:
  std::uint64_t worker_;
  std::atomic<std::uint32_t> next_{0};  // relaxed: only that numbers differ matters
};

}  // namespace kvbm
