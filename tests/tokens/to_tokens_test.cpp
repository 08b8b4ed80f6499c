#include "kvbm/tokens/to_tokens.hpp"

#include <gtest/gtest.h>

#include <stdexcept>
#include <string>

namespace kvbm {
namespace {

TEST(ToTokens, KeepsTheBitsOfSignedIds) {  // tokens.md 13 case 15
  const std::vector<std::int32_t> ids = {1, -1, std::int32_t{-2147483647} - 1};

  const std::vector<Token> tokens = to_tokens(ids);

  EXPECT_EQ(tokens, (std::vector<Token>{1, 0xFFFFFFFF, 0x80000000}));
  EXPECT_EQ(to_tokens(std::span(ids).first(2)), (std::vector<Token>{1, 0xFFFFFFFF}));
}

TEST(ToTokens, TakesSizesThatFit) {  // tokens.md 13 case 15
  const std::vector<std::size_t> ids = {0, 7, 0xFFFFFFFF};

  EXPECT_EQ(to_tokens(ids), (std::vector<Token>{0, 7, 0xFFFFFFFF}));
}

TEST(ToTokens, RefusesASizeBeyond32BitsByName) {  // tokens.md 13 case 15
  const std::vector<std::size_t> ids = {1, std::size_t{1} << 32};
  try {
    (void)to_tokens(ids);
    FAIL();
  } catch (const std::invalid_argument& error) {
    EXPECT_NE(std::string(error.what()).find("4294967296"), std::string::npos) << error.what();
  }
}

}  // namespace
}  // namespace kvbm
