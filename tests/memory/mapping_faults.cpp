#include "tests/memory/mapping_faults.hpp"

#include <sys/mman.h>

#include <cerrno>
#include <cstddef>
#include <optional>

// The linker sends the library's calls here: --wrap=mmap, --wrap=madvise.

namespace kvbm::test {
namespace {

constexpr int kPopulateWrite = 23;  // MADV_POPULATE_WRITE, which older headers lack

std::optional<MappingFault::Kind> fault;

bool is(MappingFault::Kind kind) noexcept { return fault == kind; }

}  // namespace

MappingFault::MappingFault(Kind kind) noexcept { fault = kind; }
MappingFault::~MappingFault() { fault.reset(); }

}  // namespace kvbm::test

extern "C" {
void* __real_mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset);
void* __wrap_mmap(void* address, std::size_t bytes, int protection, int flags, int file, off_t offset) {
  using Kind = kvbm::test::MappingFault::Kind;
  constexpr unsigned kSizeBits = 0x3Fu << 26;  // of huge pages
  const bool huge = (flags & MAP_HUGETLB) != 0;
  if (kvbm::test::is(huge ? Kind::NoHugePages : Kind::NoMemory)) {
    errno = ENOMEM;
    return MAP_FAILED;
  }
  if (huge && kvbm::test::is(Kind::HugePages)) {
    flags &= ~(MAP_HUGETLB | static_cast<int>(kSizeBits));
  }
  return __real_mmap(address, bytes, protection, flags, file, offset);
}

int __real_madvise(void* address, std::size_t bytes, int advice);
int __wrap_madvise(void* address, std::size_t bytes, int advice) {
  if (advice == kvbm::test::kPopulateWrite && kvbm::test::is(kvbm::test::MappingFault::Kind::NoPopulate)) {
    errno = EINVAL;
    return -1;
  }
  return __real_madvise(address, bytes, advice);
}
}
