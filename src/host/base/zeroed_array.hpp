#pragma once

#include <sys/mman.h>

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>
#include <type_traits>
#include <utility>

namespace kvbm {

/// A fixed array of zero bytes, aligned to `T` and to cache lines. Pages nobody touched take no memory; large arrays
/// ask for huge pages, since random access to a million slots otherwise spends its time in the page walk.
///
/// Errors  std::bad_alloc when made.
template <class T>
class ZeroedArray {
  static_assert(std::is_trivially_destructible_v<T>, "elements are never destroyed");

 public:
  ZeroedArray() = default;
  explicit ZeroedArray(std::size_t count, std::size_t present = 0) {
    if (count == 0) return;
    if (count > (SIZE_MAX - kAlign) / sizeof(T)) throw std::bad_alloc();
    const std::size_t bytes = count * sizeof(T);
    memory_ = std::calloc(bytes + kAlign, 1);
    if (memory_ == nullptr) throw std::bad_alloc();
    const auto address = (reinterpret_cast<std::uintptr_t>(memory_) + kAlign - 1) / kAlign * kAlign;
    data_ = reinterpret_cast<T*>(address);
    advise_huge_pages(address, bytes);
    touch(address, present * sizeof(T));
  }
  ZeroedArray(ZeroedArray&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)), data_(std::exchange(other.data_, nullptr)) {}
  ZeroedArray& operator=(ZeroedArray&& other) noexcept {
    std::swap(memory_, other.memory_);
    std::swap(data_, other.data_);
    return *this;
  }
  ~ZeroedArray() { std::free(memory_); }

  [[nodiscard]] T* data() const noexcept { return data_; }
  T& operator[](std::size_t i) const noexcept { return data_[i]; }

 private:
  static constexpr std::size_t kAlign = 64;
  static constexpr std::size_t kHugePage = std::size_t{2} << 20;

  static void advise_huge_pages(std::uintptr_t address, std::size_t bytes) noexcept {
    const std::uintptr_t first = (address + kHugePage - 1) / kHugePage * kHugePage;
    const std::uintptr_t last = (address + bytes) / kHugePage * kHugePage;
    // A hint: where it is refused, small pages do as well.
    if (first < last) static_cast<void>(::madvise(reinterpret_cast<void*>(first), last - first, MADV_HUGEPAGE));
  }

  static void touch(std::uintptr_t address, std::size_t bytes) noexcept {
    constexpr std::size_t kPage = 4096;
    for (std::size_t byte = 0; byte < bytes; byte += kPage) *reinterpret_cast<volatile char*>(address + byte) = 0;
  }

  void* memory_ = nullptr;
  T* data_ = nullptr;
};

}  // namespace kvbm
