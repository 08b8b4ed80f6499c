#pragma once

#include <array>
#include <cstddef>
#include <new>
#include <span>

#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// A few hashes on the stack, to be passed on together. Made without clearing its memory.
class HashBatch {
 public:
  static constexpr std::size_t kMost = 64;

  HashBatch() noexcept {}  // NOLINT(modernize-use-equals-default): leaves bytes_ as they are

  [[nodiscard]] bool empty() const noexcept { return count_ == 0; }
  [[nodiscard]] bool full() const noexcept { return count_ == kMost; }
  /// Precondition: not full.
  void add(const SequenceHash& hash) noexcept {
    ::new (static_cast<void*>(&bytes_[sizeof(hash) * count_++])) SequenceHash(hash);
  }
  /// All of them, valid until the next add(); the batch is empty then.
  [[nodiscard]] std::span<const SequenceHash> take() noexcept {
    const std::size_t count = count_;
    count_ = 0;
    return {std::launder(reinterpret_cast<const SequenceHash*>(bytes_.data())), count};
  }

 private:
  std::size_t count_ = 0;
  alignas(SequenceHash) std::array<std::byte, kMost * sizeof(SequenceHash)> bytes_;
};

}  // namespace kvbm
