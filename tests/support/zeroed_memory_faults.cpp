#include "tests/support/zeroed_memory_faults.hpp"

#include "tests/support/allocation_faults.hpp"

// The tables of a store, its ring, the room for ids, sketches, the indexes of a registry, tables of prefixes and arenas
// are zeroed memory from calloc. The linker sends those calls here (--wrap=calloc), so that they fail like all others.

namespace {
std::size_t refused = 0;
}  // namespace

namespace kvbm::test {
std::size_t refused_callocs() noexcept { return refused; }
}  // namespace kvbm::test

extern "C" {
void* __real_calloc(std::size_t count, std::size_t size);
void* __wrap_calloc(std::size_t count, std::size_t size) {
  if (!kvbm::test::refuses_allocation()) return __real_calloc(count, size);
  ++refused;
  return nullptr;
}
}
