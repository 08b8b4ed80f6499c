#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernels/prefix_table.hpp"
#include "kvbm/base/host_device.hpp"

namespace kvbm::kernels {

/// XXH3, 64 bits out, seeded, over whole 32-bit words: what kvbm::xxh3_64 gives for the same bytes, on the device too.
///
/// Source  the XXH3 of xxHash 0.8 (BSD-2-Clause), whose secret is in kSecret; written for inputs that are aligned to 4
///         bytes and whose length is a multiple of 4.
class WordXxh3 {
 public:
  KVBM_HOST_DEVICE explicit WordXxh3(std::uint64_t seed) noexcept : seed_(seed) {}

  /// Precondition: at least one word.
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t operator()(const std::uint32_t* words,
                                                          std::uint32_t count) const noexcept {
    if (count <= 2) return of_8_bytes(words, count);
    if (count <= 4) return of_16_bytes(words, count);
    if (count <= 32) return of_128_bytes(words, count);
    if (count <= 60) return of_240_bytes(words, count);
    return of_many(words, count);
  }

 private:
  static constexpr std::uint64_t kPrime32_1 = 0x9E37'79B1u, kPrime32_2 = 0x85EB'CA77u, kPrime32_3 = 0xC2B2'AE3Du;
  static constexpr std::uint64_t kPrime64_1 = 0x9E37'79B1'85EB'CA87u, kPrime64_2 = 0xC2B2'AE3D'27D4'EB4Fu,
                                 kPrime64_3 = 0x1656'67B1'9E37'79F9u, kPrime64_4 = 0x85EB'CA77'C2B2'AE63u,
                                 kPrime64_5 = 0x27D4'EB2F'1656'67C5u;
  static constexpr unsigned kStripeWords = 16;
  static constexpr unsigned kStripesPerBlock = 16;
  static constexpr unsigned kSecretBytes = 192;

  /// 8 bytes of the secret from byte `at` on.
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t secret(unsigned at) noexcept {
    constexpr std::uint64_t kSecret[24] = {
        0xBE4B'A423'396C'FEB8u, 0x1CAD'21F7'2C81'017Cu, 0xDB97'9083'E96D'D4DEu, 0x1F67'B3B7'A4A4'4072u,
        0x78E5'C0CC'4EE6'79CBu, 0x2172'FFCC'7DD0'5A82u, 0x8E24'43F7'7446'08B8u, 0x4C26'3A81'E690'35E0u,
        0xCB00'C391'BB52'283Cu, 0xA32E'531B'8B65'D088u, 0x4EF9'0DA2'9748'6471u, 0xD8AC'DEA9'46EF'1938u,
        0x3F34'9CE3'3F76'FAA8u, 0x1D4F'0BC7'C7BB'DCF9u, 0x3159'B4CD'4BE0'518Au, 0x6473'78D9'C97E'9FC8u,
        0xC3EB'D334'83AC'C5EAu, 0xEB63'13FA'FFA0'81C5u, 0x49DA'F0B7'51DD'0D17u, 0x9E68'D429'2655'16D3u,
        0xFCA1'477D'58BE'162Bu, 0xCE31'D07A'D1B8'F88Fu, 0x2804'1695'8F3A'CB45u, 0x7E40'4BBB'CAFB'D7AFu};
    return across(at, [&](unsigned word) { return kSecret[word]; });
  }
  /// The same of the secret that inputs beyond 240 bytes use, which is made of the first and the seed.
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t seeded_secret(unsigned at) const noexcept {
    return across(at, [this](unsigned word) { return secret(8 * word) + (word % 2 == 0 ? seed_ : 0 - seed_); });
  }
  template <class Word>
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t across(unsigned at, Word&& word) noexcept {
    const unsigned shift = at % 8 * 8;
    if (shift == 0) return word(at / 8);
    return word(at / 8) >> shift | word(at / 8 + 1) << (64 - shift);
  }

  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t two(const std::uint32_t* words) noexcept {
    return words[0] | std::uint64_t{words[1]} << 32;
  }
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t fold(std::uint64_t a, std::uint64_t b) noexcept {
    return a * b ^ multiply_high(a, b);
  }
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t rotated(std::uint64_t value, unsigned bits) noexcept {
    return value << bits | value >> (64 - bits);
  }
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t swapped(std::uint64_t value) noexcept {
    value = (value & 0x00FF'00FF'00FF'00FFu) << 8 | (value >> 8 & 0x00FF'00FF'00FF'00FFu);
    value = (value & 0x0000'FFFF'0000'FFFFu) << 16 | (value >> 16 & 0x0000'FFFF'0000'FFFFu);
    return value << 32 | value >> 32;
  }
  [[nodiscard]] KVBM_HOST_DEVICE static std::uint64_t avalanche(std::uint64_t hash) noexcept {
    hash = (hash ^ hash >> 37) * 0x1656'6791'9E37'79F9u;
    return hash ^ hash >> 32;
  }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t mix(const std::uint32_t* words, unsigned secret_at) const noexcept {
    return fold(two(words) ^ (secret(secret_at) + seed_), two(words + 2) ^ (secret(secret_at + 8) - seed_));
  }

  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t of_8_bytes(const std::uint32_t* words,
                                                          std::uint32_t count) const noexcept {
    const std::uint64_t seed = seed_ ^ swapped(seed_ & 0xFFFF'FFFFu);
    std::uint64_t hash = (words[count - 1] + (std::uint64_t{words[0]} << 32)) ^ ((secret(8) ^ secret(16)) - seed);
    hash ^= rotated(hash, 49) ^ rotated(hash, 24);
    hash *= 0x9FB2'1C65'1E98'DF25u;
    hash ^= (hash >> 35) + 4 * count;
    hash *= 0x9FB2'1C65'1E98'DF25u;
    return hash ^ hash >> 28;
  }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t of_16_bytes(const std::uint32_t* words,
                                                           std::uint32_t count) const noexcept {
    const std::uint64_t low = two(words) ^ ((secret(24) ^ secret(32)) + seed_);
    const std::uint64_t high = two(words + count - 2) ^ ((secret(40) ^ secret(48)) - seed_);
    return avalanche(4 * count + swapped(low) + high + fold(low, high));
  }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t of_128_bytes(const std::uint32_t* words,
                                                            std::uint32_t count) const noexcept {
    std::uint64_t sum = 4 * count * kPrime64_1;
    for (unsigned i = (count - 1) / 8 + 1; i-- > 0;) {
      sum += mix(words + 4 * i, 32 * i);
      sum += mix(words + count - 4 * (i + 1), 32 * i + 16);
    }
    return avalanche(sum);
  }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t of_240_bytes(const std::uint32_t* words,
                                                            std::uint32_t count) const noexcept {
    std::uint64_t sum = 4 * count * kPrime64_1;
    for (unsigned i = 0; i < 8; ++i) sum += mix(words + 4 * i, 16 * i);
    sum = avalanche(sum);
    for (unsigned i = 8; i < count / 4; ++i) sum += mix(words + 4 * i, 16 * (i - 8) + 3);
    sum += mix(words + count - 4, 136 - 17);
    return avalanche(sum);
  }
  [[nodiscard]] KVBM_HOST_DEVICE std::uint64_t of_many(const std::uint32_t* words, std::uint32_t count) const noexcept {
    std::uint64_t sums[8] = {kPrime32_3, kPrime64_1, kPrime64_2, kPrime64_3,
                             kPrime64_4, kPrime32_2, kPrime64_5, kPrime32_1};
    const std::uint32_t stripes = (count - 1) / kStripeWords;  // the last stripe is the input's end, whole or not
    for (std::uint32_t stripe = 0; stripe < stripes; ++stripe) {
      const std::uint32_t in_block = stripe % kStripesPerBlock;
      add_stripe(sums, words + stripe * kStripeWords, 8 * in_block);
      const bool block_ends = in_block == kStripesPerBlock - 1;
      if (block_ends) scramble(sums);
    }
    add_stripe(sums, words + count - kStripeWords, kSecretBytes - 64 - 7);
    std::uint64_t hash = 4 * std::uint64_t{count} * kPrime64_1;
    for (unsigned i = 0; i < 4; ++i) {
      hash += fold(sums[2 * i] ^ seeded_secret(11 + 16 * i), sums[2 * i + 1] ^ seeded_secret(11 + 16 * i + 8));
    }
    return avalanche(hash);
  }
  KVBM_HOST_DEVICE void add_stripe(std::uint64_t* sums, const std::uint32_t* words, unsigned secret_at) const noexcept {
    for (unsigned i = 0; i < 8; ++i) {
      const std::uint64_t value = two(words + 2 * i);
      const std::uint64_t key = value ^ seeded_secret(secret_at + 8 * i);
      sums[i ^ 1] += value;
      sums[i] += (key & 0xFFFF'FFFFu) * (key >> 32);
    }
  }
  KVBM_HOST_DEVICE void scramble(std::uint64_t* sums) const noexcept {
    for (unsigned i = 0; i < 8; ++i) {
      sums[i] = (sums[i] ^ sums[i] >> 47 ^ seeded_secret(kSecretBytes - 64 + 8 * i)) * kPrime32_1;
    }
  }

  std::uint64_t seed_;
};

}  // namespace kvbm::kernels
