#pragma once

#include <cstdint>

#include "kvbm/base/host_device.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm {

/// Where a registered block was last seen, in 64 bits: a hint, to be checked against the store before anything is done
/// with it. All bits zero: nowhere.
///
/// Shape  from the top: one bit that belongs to the table which keeps the hint, tier number plus 1 (4), generation of
///        the slot (its low 20 bits), block id (39).
class BlockHint {
 public:
  static constexpr unsigned kTiers = 15;  ///< tier numbers are 0 .. kTiers - 1, the fastest tier first
  static constexpr std::uint32_t kGenerationMask = (1u << 20) - 1;
  static constexpr std::uint64_t kTableBit = std::uint64_t{1} << 63;

  constexpr BlockHint() = default;
  /// Precondition: tier < kTiers.
  KVBM_HOST_DEVICE constexpr BlockHint(unsigned tier, BlockId id, std::uint32_t generation) noexcept
      : bits_(std::uint64_t{tier + 1} << 59 | std::uint64_t{generation & kGenerationMask} << 39 | id) {}
  /// The hint in a word of a table, without the table's bit.
  KVBM_HOST_DEVICE static constexpr BlockHint from_bits(std::uint64_t bits) noexcept {
    BlockHint hint;
    hint.bits_ = bits & ~kTableBit;
    return hint;
  }

  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint64_t bits() const noexcept { return bits_; }
  [[nodiscard]] KVBM_HOST_DEVICE constexpr bool present() const noexcept { return bits_ >> 59 != 0; }
  /// Precondition: present().
  [[nodiscard]] KVBM_HOST_DEVICE constexpr unsigned tier() const noexcept {
    return static_cast<unsigned>(bits_ >> 59) - 1;
  }
  [[nodiscard]] KVBM_HOST_DEVICE constexpr BlockId id() const noexcept { return static_cast<BlockId>(bits_); }
  /// As many of the slot's generation's low bits as a hint keeps.
  [[nodiscard]] KVBM_HOST_DEVICE constexpr std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(bits_ >> 39) & kGenerationMask;
  }

  friend constexpr bool operator==(BlockHint, BlockHint) = default;

 private:
  std::uint64_t bits_ = 0;
};

}  // namespace kvbm
