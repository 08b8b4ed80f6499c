#include "kvbm/memory/host_bytes.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>

namespace kvbm {

std::span<std::byte> host_bytes(const Memory& memory, std::size_t offset, std::size_t bytes) {
  if (memory.region().kind == MemoryKind::Device) {
    throw std::invalid_argument("the host does not reach memory of device " + std::to_string(memory.region().device));
  }
  const Memory part = memory.part(offset, bytes);
  return {part.address(), part.bytes()};
}

void fill_host(const Memory& memory, std::byte value, std::size_t offset, std::size_t bytes) {
  const std::span<std::byte> target = host_bytes(memory, offset, bytes);
  std::fill(target.begin(), target.end(), value);
}

std::byte* checked_elements(const Memory& memory, std::size_t offset, std::size_t bytes, std::size_t element_bytes,
                            std::size_t alignment) {
  std::byte* const first = host_bytes(memory, offset, bytes).data();
  if (bytes % element_bytes != 0) {
    throw std::invalid_argument(std::to_string(bytes) + " bytes are no whole number of elements of " +
                                std::to_string(element_bytes));
  }
  if (reinterpret_cast<std::uintptr_t>(first) % alignment != 0) {
    throw std::invalid_argument("elements at offset " + std::to_string(offset) + " are not aligned to " +
                                std::to_string(alignment));
  }
  return first;
}

}  // namespace kvbm
