#pragma once

#include <fmt/format.h>

#include <string>

namespace kvbm::test {

/// The 32 hexadecimal digits of a 128-bit hash, as recordings write it.
template <class Hash>
std::string hex(const Hash& hash) {
  return fmt::format("{:016x}{:016x}", hash.high(), hash.low());
}

}  // namespace kvbm::test
