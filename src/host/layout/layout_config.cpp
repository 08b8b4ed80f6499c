#include "kvbm/layout/layout_config.hpp"

#include <bit>
#include <initializer_list>
#include <utility>

#include "layout/layout_error.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;

Result<void, LayoutError> check_dimensions(const LayoutConfig& config) {
  const std::initializer_list<std::pair<const char*, std::uint32_t>> dimensions{
      {"blocks", config.blocks}, {"layers", config.layers}, {"tokens", config.tokens}, {"inner", config.inner}};
  for (const auto& [name, value] : dimensions) {
    if (value == 0) return fail(LayoutError{Code::DimensionZero, std::string(name) + " must be positive", 1, 0});
  }
  if (config.outer != 1 && config.outer != 2) {
    return fail(LayoutError{Code::OuterOutOfRange, "outer must be 1 or 2, got " + std::to_string(config.outer), 2,
                            config.outer});
  }
  return {};
}

Result<void, LayoutError> check_element(const LayoutConfig& config) {
  if (!std::has_single_bit(config.alignment)) {
    return fail(LayoutError{Code::AlignmentNotPowerOfTwo,
                            "alignment must be a power of two, got " + std::to_string(config.alignment), 1,
                            config.alignment});
  }
  if (!std::has_single_bit(config.element_bytes) || config.element_bytes > 8) {
    return fail(LayoutError{Code::ElementWidthUnsupported,
                            "element_bytes must be 1, 2, 4 or 8, got " + std::to_string(config.element_bytes), 8,
                            config.element_bytes});
  }
  return {};
}

Result<void, LayoutError> check_order(const LayoutConfig& config, LayoutKind kind) {
  if (!is_made_of_cells(config.order) && kind != LayoutKind::FullyContiguous) {
    return fail(LayoutError{Code::OrderNotPossible,
                            "order " + std::string(to_text(config.order)) + " needs a fully contiguous layout"});
  }
  if (!config.heads) {
    if (is_made_of_cells(config.order)) return {};
    return fail(LayoutError{Code::HeadsRequired, "heads are required by order " + std::string(to_text(config.order))});
  }
  if (*config.heads == 0) return fail(LayoutError{Code::HeadsZero, "heads must be positive", 1, 0});
  if (config.inner % *config.heads != 0) {
    return fail(LayoutError{
        Code::InnerNotDivisibleByHeads,
        "inner " + std::to_string(config.inner) + " is no multiple of heads " + std::to_string(*config.heads),
        *config.heads, config.inner});
  }
  return {};
}

Result<void, LayoutError> check_sizes(const LayoutConfig& config) {
  std::uint64_t bytes = config.element_bytes;
  for (std::uint32_t factor : {config.inner, config.tokens, config.outer, config.layers, config.blocks}) {
    if (__builtin_mul_overflow(bytes, std::uint64_t{factor}, &bytes)) {
      return fail(LayoutError{Code::SizeOverflow, "the bytes of the layout overflow 64 bits"});
    }
  }
  if (config.cell_bytes() % config.alignment != 0) {
    return fail(numbers_error(Code::Misaligned, "alignment of a cell's bytes", config.alignment, config.cell_bytes()));
  }
  return {};
}

}  // namespace

Result<void, LayoutError> check_config(const LayoutConfig& config, LayoutKind kind) {
  if (auto checked = check_dimensions(config); !checked) return checked;
  if (auto checked = check_element(config); !checked) return checked;
  if (auto checked = check_order(config, kind); !checked) return checked;
  return check_sizes(config);
}

}  // namespace kvbm
