#pragma once

#include <cstddef>
#include <string>

namespace kvbm {

/// Owns a private, zeroed mapping.
///
/// Threads  one at a time.
class PageMapping {
 public:
  /// Whole pages of `page_bytes` that hold `bytes`: the system's own pages, or huge ones of the set-aside pool.
  /// Errors  std::system_error.
  PageMapping(std::size_t bytes, std::size_t page_bytes);
  PageMapping(const PageMapping&) = delete;
  PageMapping& operator=(const PageMapping&) = delete;
  ~PageMapping();

  [[nodiscard]] std::byte* address() const noexcept { return address_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }  ///< a whole number of pages
  [[nodiscard]] std::size_t page_bytes() const noexcept { return page_bytes_; }
  /// Asks for transparent huge pages, or for none. The kernel may do otherwise.
  void advise_huge(bool wanted) noexcept;
  /// Puts pages behind [offset, offset + bytes) now; they are zero.
  void populate(std::size_t offset, std::size_t bytes) noexcept;
  /// Leaves the mapping in place for good.
  void leak() noexcept { address_ = nullptr; }

 private:
  std::byte* address_;
  std::size_t bytes_;
  std::size_t page_bytes_;
};

[[nodiscard]] std::size_t system_page_bytes() noexcept;

}  // namespace kvbm
