#pragma once

#include <cstddef>

namespace kvbm::test {

/// How often calloc was made to fail so far. Test executables that ask are linked with --wrap=calloc.
[[nodiscard]] std::size_t refused_callocs() noexcept;

}  // namespace kvbm::test
