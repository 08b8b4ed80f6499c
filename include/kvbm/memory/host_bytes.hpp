#pragma once

#include <cstddef>
#include <span>
#include <type_traits>

#include "kvbm/memory/memory.hpp"

namespace kvbm {

/// Bytes of memory that the host reaches, to read and write them here. They live as long as the memory does.
/// Errors  std::out_of_range naming offset, size and limit; std::invalid_argument for memory of a device.
[[nodiscard]] std::span<std::byte> host_bytes(const Memory& memory, std::size_t offset, std::size_t bytes);
/// Sets bytes of memory that the host reaches. Errors  as host_bytes, and nothing is written.
void fill_host(const Memory& memory, std::byte value, std::size_t offset, std::size_t bytes);

/// As host_bytes, for what host_elements needs beyond it. Errors  std::invalid_argument also if the bytes are no whole
/// number of elements or the first is not aligned.
[[nodiscard]] std::byte* checked_elements(const Memory& memory, std::size_t offset, std::size_t bytes,
                                          std::size_t element_bytes, std::size_t alignment);

/// The same bytes as elements. Errors  as host_bytes; std::invalid_argument also if they are no whole number of
/// elements or the first is not aligned.
template <class Element>
[[nodiscard]] std::span<Element> host_elements(const Memory& memory, std::size_t offset, std::size_t bytes) {
  static_assert(std::is_trivially_copyable_v<Element> && !std::is_empty_v<Element>, "elements are made of their bytes");
  std::byte* const first = checked_elements(memory, offset, bytes, sizeof(Element), alignof(Element));
  return {reinterpret_cast<Element*>(first), bytes / sizeof(Element)};
}

}  // namespace kvbm
