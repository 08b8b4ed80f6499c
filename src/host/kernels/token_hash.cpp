#include "kernels/token_hash.cuh"

#include "kernels/launch_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

void hash_on_host(const TokenHashBatch& batch) {
  for (std::uint32_t block = 0; block < batch.blocks; ++block) HashBlock{batch}(block);
  for (std::uint32_t request = 0; request < batch.requests; ++request) LinkRequest{batch}(request);
}

}  // namespace

KernelCall token_hash(const TokenHashBatch& batch) noexcept {
  KVBM_ASSERT(batch.block_size != 0, "a block of no tokens");
  return {"kvbm.token_hash", batch, &hash_on_host, launch_table().token_hash};
}

}  // namespace kvbm::kernels
