#include "kernels/token_hash.cuh"

#include <gtest/gtest.h>

#include <random>
#include <vector>

#include "kvbm/base/xxh3.hpp"
#include "kvbm/tokens/block_hash.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kHashSeed = 99;

std::vector<Token> random_tokens(std::size_t count) {
  std::mt19937 random(kHashSeed);
  std::vector<Token> tokens(count);
  for (Token& token : tokens) token = static_cast<Token>(random());
  return tokens;
}

TEST(WordXxh3, IsXxh3ForEveryLengthOfABlock) {
  const std::vector<Token> words = random_tokens(1100);
  for (const std::uint64_t seed :
       {std::uint64_t{0}, kChainSeed, ~std::uint64_t{0}, std::uint64_t{0x1234'5678'9ABC'DEF0u}}) {
    const kernels::WordXxh3 hash(seed);
    for (std::uint32_t count = 1; count <= words.size(); ++count) {
      const std::span<const Token> part = std::span(words).first(count);
      ASSERT_EQ(hash(part.data(), count), xxh3_64(std::as_bytes(part), seed)) << count << " words, seed " << seed;
    }
  }
}

/// Hashes a batch as the kernels do, one functor call after another.
std::vector<SequenceHash> hash_as_kernels(std::span<const Token> tokens, const std::vector<std::uint32_t>& offsets,
                                          std::uint32_t block_size, const std::vector<std::uint64_t>* salts) {
  std::vector<SequenceHash> hashes(offsets.back());
  const kernels::TokenHashBatch batch{tokens.data(),  offsets.data(), static_cast<std::uint32_t>(offsets.size() - 1),
                                      offsets.back(), block_size,     salts != nullptr ? salts->data() : nullptr,
                                      hashes.data()};
  for (std::uint32_t block = batch.blocks; block-- > 0;) kernels::HashBlock{batch}(block);
  for (std::uint32_t request = batch.requests; request-- > 0;) kernels::LinkRequest{batch}(request);
  return hashes;
}

TEST(TokenHash, IsTheHostsForAllBlockSizesAndLengths) {
  for (const std::uint32_t block_size : {1u, 2u, 3u, 4u, 8u, 16u, 32u, 60u, 64u, 128u, 256u, 1024u}) {
    const std::vector<std::uint32_t> lengths{0, 1, 5, 0, 0, 40, 2};
    std::vector<std::uint32_t> offsets{0};
    std::vector<std::uint64_t> salts;
    for (const std::uint32_t length : lengths) {
      offsets.push_back(offsets.back() + length);
      salts.push_back(1000 * salts.size());
    }
    const std::vector<Token> tokens = random_tokens(std::size_t{offsets.back()} * block_size);

    for (const bool salted : {false, true}) {
      const std::vector<SequenceHash> hashes = hash_as_kernels(tokens, offsets, block_size, salted ? &salts : nullptr);
      for (std::size_t request = 0; request < lengths.size(); ++request) {
        std::vector<SequenceHash> expected(lengths[request]);
        const auto part = std::span(tokens).subspan(std::size_t{offsets[request]} * block_size,
                                                    std::size_t{lengths[request]} * block_size);
        static_cast<void>(hash_blocks(part, {.block_size = block_size, .salt = salted ? salts[request] : 0}, expected));
        for (std::size_t i = 0; i < expected.size(); ++i) {
          ASSERT_EQ(hashes[offsets[request] + i], expected[i]) << "request " << request << ", block " << i;
        }
      }
    }
  }
}

// Beyond position 2^8 and 2^16 the packing of a hash changes.
TEST(TokenHash, IsTheHostsAcrossChangesOfMode) {
  const std::vector<Token> tokens = random_tokens(70'000);
  std::vector<SequenceHash> expected(tokens.size());
  static_cast<void>(hash_blocks(tokens, {.block_size = 1}, expected));

  EXPECT_EQ(hash_as_kernels(tokens, {0, 70'000}, 1, nullptr), expected);
}

}  // namespace
}  // namespace kvbm
