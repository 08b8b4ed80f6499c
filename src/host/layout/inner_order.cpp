#include "kvbm/layout/inner_order.hpp"

#include <array>
#include <cstddef>

namespace kvbm {
namespace {

struct Names {
  std::string_view text;
  std::string_view shape;
};

constexpr std::array<Names, 5> kNames{{{"unknown", "[]"},
                                       {"nhd", "[layers, outer, tokens, heads, head_dim]"},
                                       {"hnd", "[layers, outer, heads, tokens, head_dim]"},
                                       {"universal-tp", "[heads, layers, outer, tokens, head_dim]"},
                                       {"universal-pp", "[layers, heads, outer, tokens, head_dim]"}}};

}  // namespace

std::string_view to_text(InnerOrder order) noexcept { return kNames[static_cast<std::size_t>(order)].text; }

std::string_view shape_text(InnerOrder order) noexcept { return kNames[static_cast<std::size_t>(order)].shape; }

std::optional<InnerOrder> parse_inner_order(std::string_view text) noexcept {
  for (std::size_t i = 0; i < kNames.size(); ++i) {
    if (kNames[i].text == text) return static_cast<InnerOrder>(i);
  }
  return std::nullopt;
}

std::string no_transform_text(InnerOrder source, InnerOrder target, std::uint32_t element_bytes) {
  return "no kernel moves elements of " + std::to_string(element_bytes) + " bytes from order " +
         std::string(to_text(source)) + " to order " + std::string(to_text(target));
}

}  // namespace kvbm
