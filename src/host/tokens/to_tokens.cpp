#include "kvbm/tokens/to_tokens.hpp"

#include <limits>
#include <stdexcept>
#include <string>

namespace kvbm {

std::vector<Token> to_tokens(std::span<const std::int32_t> ids) {
  std::vector<Token> tokens;
  tokens.reserve(ids.size());
  for (const std::int32_t id : ids) tokens.push_back(static_cast<Token>(id));
  return tokens;
}

std::vector<Token> to_tokens(std::span<const std::size_t> ids) {
  std::vector<Token> tokens;
  tokens.reserve(ids.size());
  for (const std::size_t id : ids) {
    if (id > std::numeric_limits<Token>::max()) {
      throw std::invalid_argument("token id " + std::to_string(id) + " does not fit into 32 bits");
    }
    tokens.push_back(static_cast<Token>(id));
  }
  return tokens;
}

}  // namespace kvbm
