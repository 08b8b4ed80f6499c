#pragma once

#include <cstddef>

namespace kvbm::test {

/// How often calloc was made to fail so far.
[[nodiscard]] std::size_t refused_callocs() noexcept;

}  // namespace kvbm::test
