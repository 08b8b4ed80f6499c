#pragma once

#include <cstdint>

#include "kernels/memory_access.cuh"
#include "kernels/page_fill.hpp"
#include "kernels/page_parts.cuh"
#include "kernels/page_pattern.cuh"
#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// Writes a part of a page, its words shared out among `lanes` callers.
struct FillPart {
  FillPattern pattern;
  std::uint64_t value;
  std::uint64_t cell_bytes;

  KVBM_HOST_DEVICE void operator()(const PagePart& part, std::uint32_t lane, std::uint32_t lanes) const noexcept {
    const std::uint64_t in_layer = part.outer * cell_bytes + part.offset;
    const std::uint64_t cell = std::uint64_t{part.block} << 32 ^ (std::uint64_t{part.layer} << 1 | part.outer);
    const PagePattern random(value ^ PagePattern(cell).word(0).low);
    for (std::uint32_t at = lane * kWord; at < part.bytes; at += lanes * kWord) {
      Bytes16 word = repeated(static_cast<std::uint8_t>(value));
      if (pattern == FillPattern::Sequential) {
        word = rising_from(static_cast<std::uint8_t>(part.block + part.layer + in_layer + at));
      } else if (pattern == FillPattern::Random) {
        const PatternWord random_word = random.word((part.offset + at) / kWord);
        word = {random_word.low, random_word.high};
      }
      const std::uint32_t rest = part.bytes - at;
      store_part(part.address + at, word, rest < kWord ? rest : kWord);
    }
  }

 private:
  static constexpr std::uint32_t kWord = sizeof(Bytes16);

  [[nodiscard]] KVBM_HOST_DEVICE static Bytes16 repeated(std::uint8_t byte) noexcept {
    const std::uint64_t bytes = byte * std::uint64_t{0x0101'0101'0101'0101u};
    return {bytes, bytes};
  }
  // first, first + 1, ... each modulo 256.
  [[nodiscard]] KVBM_HOST_DEVICE static Bytes16 rising_from(std::uint8_t first) noexcept {
    const std::uint64_t bytes = repeated(first).low;
    return {sum_of_bytes(bytes, 0x0706'0504'0302'0100u), sum_of_bytes(bytes, 0x0F0E'0D0C'0B0A'0908u)};
  }
  // Adds byte by byte; carries stay within theirs.
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t sum_of_bytes(std::uint64_t left, std::uint64_t right) noexcept {
    constexpr std::uint64_t kTop = 0x8080'8080'8080'8080u;
    return ((left & ~kTop) + (right & ~kTop)) ^ ((left ^ right) & kTop);
  }
};

}  // namespace kvbm::kernels
