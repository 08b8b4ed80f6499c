#include "src/host/lookup/token_blocks.hpp"

#include "kvbm/base/assert.hpp"
#include "src/host/tokens/block_hasher.hpp"

namespace kvbm {

void find_blocks(const TokenRequests& requests, std::vector<std::uint32_t>& offsets) {
  const std::uint32_t block_size = checked_block_size(requests.block_size);
  const std::size_t count = requests.offsets.empty() ? 0 : requests.offsets.size() - 1;
  KVBM_ASSERT(count == 0 || requests.offsets.back() <= requests.tokens.size(), "a request lies beyond the tokens");
  KVBM_ASSERT(requests.salts.empty() || requests.salts.size() >= count, "a request has no salt");
  offsets.assign(1, 0);
  for (std::size_t request = 0; request < count; ++request) {
    KVBM_ASSERT(requests.offsets[request] <= requests.offsets[request + 1], "offsets rise");
    const std::uint32_t blocks = (requests.offsets[request + 1] - requests.offsets[request]) / block_size;
    check_block_count(blocks);
    offsets.push_back(offsets.back() + blocks);
  }
}

std::vector<SequenceHash> hash_requests(const TokenRequests& requests, std::span<const std::uint32_t> offsets) {
  std::vector<SequenceHash> hashes(offsets.back());
  for (std::size_t request = 0; request + 1 < offsets.size(); ++request) {
    const std::size_t count = offsets[request + 1] - offsets[request];
    const auto tokens = requests.tokens.subspan(requests.offsets[request], count * requests.block_size);
    const std::uint64_t salt = requests.salts.empty() ? 0 : requests.salts[request];
    static_cast<void>(hash_blocks(tokens, {.block_size = requests.block_size, .salt = salt},
                                  std::span(hashes).subspan(offsets[request], count)));
  }
  return hashes;
}

}  // namespace kvbm
