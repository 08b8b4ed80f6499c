#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "kernels/page_pattern.cuh"
#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"
#include "src/host/base/zeroed_array.hpp"

namespace kvbm::bench {

/// The pages behind a manager's blocks, in host memory. A filled page carries a pattern of its block's hash and of the
/// place within the page, so that a stale, foreign or shifted page gives itself away.
///
/// Shape    [blocks, page_bytes], all zero at first; a page takes memory when it is filled.
/// Threads  different pages from different threads.
/// Errors   std::bad_alloc when made, if the address space or the system's promise of memory does not suffice.
class PagePool {
 public:
  static constexpr std::size_t kFewestPageBytes = 64;
  static constexpr std::size_t kPageBytesUnit = sizeof(kernels::PatternWord);

  /// Precondition: page_bytes is a multiple of kPageBytesUnit from kFewestPageBytes up.
  PagePool(std::uint32_t blocks, std::size_t page_bytes);

  [[nodiscard]] std::span<std::byte> page(BlockId id) noexcept {
    return {reinterpret_cast<std::byte*>(words_.data()) + id * page_bytes_, page_bytes_};
  }

  void fill(BlockId id, const SequenceHash& hash) noexcept;
  /// Whether every byte of the page is as fill(id, hash) wrote it.
  [[nodiscard]] bool holds(BlockId id, const SequenceHash& hash) noexcept;

 private:
  std::size_t page_bytes_;
  ZeroedArray<kernels::PatternWord> words_;
};

}  // namespace kvbm::bench
