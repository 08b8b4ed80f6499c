#include "kvbm/layout/layout_handle.hpp"

#include "layout/layout_error.hpp"

namespace kvbm {
namespace {

constexpr std::uint32_t kHandlesMax = 0xFFFF;

}  // namespace

std::array<std::byte, 16> to_bytes(LayoutHandle handle) noexcept {
  std::array<std::byte, 16> bytes{};
  for (std::size_t i = 0; i < 8; ++i) bytes[i] = static_cast<std::byte>(handle.worker >> (8 * i));
  bytes[8] = static_cast<std::byte>(handle.layout);
  bytes[9] = static_cast<std::byte>(handle.layout >> 8);
  return bytes;
}

std::optional<LayoutHandle> parse_layout_handle(std::span<const std::byte, 16> bytes) noexcept {
  LayoutHandle handle;
  for (std::size_t i = 0; i < 8; ++i) handle.worker |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  handle.layout =
      static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[8]) | std::to_integer<unsigned>(bytes[9]) << 8);
  for (std::size_t i = 10; i < 16; ++i) {
    if (bytes[i] != std::byte{0}) return std::nullopt;
  }
  return handle;
}

std::string to_text(LayoutHandle handle) { return std::to_string(handle.worker) + ":" + std::to_string(handle.layout); }

Result<LayoutHandle, LayoutError> LayoutHandles::next() {
  std::uint32_t number = next_.load(std::memory_order_relaxed);
  do {
    if (number == kHandlesMax) {
      return fail(numbers_error(LayoutError::Code::TooManyLayouts, "layouts of a worker, at most", kHandlesMax,
                                std::uint64_t{number} + 1));
    }
  } while (!next_.compare_exchange_weak(number, number + 1, std::memory_order_relaxed));
  return LayoutHandle{worker_, static_cast<std::uint16_t>(number)};
}

}  // namespace kvbm
