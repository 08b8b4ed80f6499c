#pragma once

#include <cstdint>

#include "kernels/memory_access.cuh"
#include "kernels/page_checksum.hpp"
#include "kernels/page_parts.cuh"
#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// The sum of the words of parts of pages, each word mixed with a key of its place.
///
/// For one place the mixing is a bijection of the word, so one wrong word always changes the sum; two words that
/// change places, or several wrong ones, leave it as it was with the odds of 64 random bits. Sums of disjoint parts
/// add up to the sum of the whole.
struct SumPart {
  /// The share of `lane` of `lanes` callers.
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t operator()(const PagePart& part, std::uint32_t lane,
                                                          std::uint32_t lanes) const noexcept {
    const std::uint64_t start = mixed((std::uint64_t{part.layer} << 1 | part.outer) + kStepLow);
    const std::uint64_t first_word = part.offset / sizeof(Bytes16);
    std::uint64_t sum = 0;
    for (std::uint32_t at = lane * kWord; at < part.bytes; at += lanes * kWord) {
      const std::uint32_t rest = part.bytes - at;
      const Bytes16 word = load_part(part.address + at, rest < kWord ? rest : kWord);
      const std::uint64_t index = first_word + at / kWord;
      sum += mixed(word.low + (start + index * kStepLow)) + mixed(word.high + (~start + index * kStepHigh));
    }
    return sum;
  }

 private:
  static constexpr std::uint32_t kWord = sizeof(Bytes16);
  static constexpr std::uint64_t kStepLow = 0x9E37'79B9'7F4A'7C15u;   // 2^64 / golden ratio
  static constexpr std::uint64_t kStepHigh = 0xD1B5'4A32'D192'ED03u;  // 2^64 / second root of x^3 = x + 1, made odd
  static constexpr std::uint64_t kFactor = 0xD6E8'FEB8'6659'FD93u;

  // Invertible: odd factors between right-shifted exclusive ors.
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t mixed(std::uint64_t value) noexcept {
    value = (value ^ (value >> 32)) * kFactor;
    value = (value ^ (value >> 32)) * kFactor;
    return value ^ (value >> 32);
  }
};

}  // namespace kvbm::kernels
