#pragma once

#include <cstddef>
#include <cstdint>
#include <map>

namespace kvbm {

/// The memory that an emulated device may touch: its own, and pinned host memory. No two ranges overlap. An address
/// that is given out a second time is a different range, told apart by its id. Not safe for threads.
class LiveMemory {
 public:
  enum class Kind : std::uint8_t { Device, Pinned, Registered };
  struct Range {
    std::uintptr_t begin;
    std::size_t bytes;
    std::uint64_t id;  ///< never used twice
    Kind kind;
    std::uint32_t users = 0;  ///< copies that run on it now
  };

  /// Whether it was added: not if it overlaps another range. Errors  std::bad_alloc.
  [[nodiscard]] bool add(const void* memory, std::size_t bytes, Kind kind);
  /// The range that begins at `memory`, null if none does.
  [[nodiscard]] Range* at(const void* memory) noexcept;
  /// The range that holds all of [memory, memory + bytes), null if none does.
  [[nodiscard]] Range* holding(const void* memory, std::size_t bytes) noexcept;
  void remove(const Range& range) noexcept;

  [[nodiscard]] std::uint64_t device_bytes() const noexcept { return device_bytes_; }
  [[nodiscard]] std::uint64_t pinned_bytes() const noexcept { return pinned_bytes_; }

 private:
  [[nodiscard]] std::uint64_t& bytes_of(Kind kind) noexcept {
    return kind == Kind::Device ? device_bytes_ : pinned_bytes_;
  }

  std::map<std::uintptr_t, Range> ranges_;
  Range* last_found_ = nullptr;  // the pieces of a batch lie in few ranges
  std::uint64_t ids_ = 0;
  std::uint64_t device_bytes_ = 0;
  std::uint64_t pinned_bytes_ = 0;
};

}  // namespace kvbm
