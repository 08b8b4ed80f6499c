#include "memory/page_mapping.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <bit>
#include <cerrno>
#include <system_error>

namespace kvbm {
namespace {

#if !defined(MADV_POPULATE_WRITE)
constexpr int MADV_POPULATE_WRITE = 23;  // Linux 5.14; older headers lack it, older kernels refuse it
#endif
constexpr unsigned kHugeShift = 26;  // where mmap expects the binary logarithm of the page size

int huge_flags(std::size_t page_bytes) noexcept {
  if (page_bytes == system_page_bytes()) return 0;
  return MAP_HUGETLB | static_cast<int>(static_cast<unsigned>(std::countr_zero(page_bytes)) << kHugeShift);
}

}  // namespace

std::size_t system_page_bytes() noexcept { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

PageMapping::PageMapping(std::size_t bytes, std::size_t page_bytes) : page_bytes_(page_bytes) {
  if (bytes > SIZE_MAX - (page_bytes - 1)) {
    throw std::system_error(ENOMEM, std::generic_category(), "mmap of " + std::to_string(bytes) + " bytes");
  }
  bytes_ = (bytes + page_bytes - 1) / page_bytes * page_bytes;
  void* const mapped =
      mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | huge_flags(page_bytes), -1, 0);
  if (mapped == MAP_FAILED) {
    throw std::system_error(errno, std::generic_category(),
                            "mmap of " + std::to_string(bytes_) + " bytes in pages of " + std::to_string(page_bytes));
  }
  address_ = static_cast<std::byte*>(mapped);
}

PageMapping::~PageMapping() {
  if (address_ != nullptr) munmap(address_, bytes_);
}

void PageMapping::advise_huge(bool wanted) noexcept {
  static_cast<void>(madvise(address_, bytes_, wanted ? MADV_HUGEPAGE : MADV_NOHUGEPAGE));
}

void PageMapping::populate(std::size_t offset, std::size_t bytes) noexcept {
  if (madvise(address_ + offset, bytes, MADV_POPULATE_WRITE) == 0) return;
  const std::size_t page = system_page_bytes();
  volatile std::byte* const begin = address_ + offset;
  for (std::size_t at = 0; at < bytes; at += page) begin[at] = std::byte{0};
}

}  // namespace kvbm
