#include "kvbm/base/assert.hpp"

#include <cstdio>
#include <cstdlib>

namespace kvbm {

void assertion_failed(const char* condition, const char* message, const char* file, int line) noexcept {
  std::fprintf(stderr, "kvbm: %s (%s) at %s:%d\n", message, condition, file, line);
  std::abort();
}

}  // namespace kvbm
