#include <cstdio>
#include <vector>

#include "kvbm/kvbm.hpp"

int main() {
  using namespace kvbm;
  auto manager = BlockManager<G1>::create({.blocks = 1024, .tokens_per_block = 16, .registry = BlockRegistry()});
  if (!manager) return std::puts(manager.error().text.c_str()), 1;

  const std::vector<Token> prompt(100, 7);  // 6 full blocks of 16 tokens, and 4 tokens over
  const TokenBlockSequence tokens(prompt, {.block_size = 16});
  const std::span<const SequenceHash> hashes = tokens.hashes();

  for (int request = 0; request < 2; ++request) {
    // What is cached already, in use or idle. The blocks cannot be evicted while `prefix` lives.
    BlockRun<ImmutableBlock<G1>> prefix = manager->match_blocks(hashes);
    const std::span<const SequenceHash> missing = hashes.subspan(prefix.size());

    // The rest: allocated, filled by the engine (page ids in blocks->ids()), named, and made findable, all at once.
    auto blocks = manager->allocate(static_cast<std::uint32_t>(missing.size()));
    if (!blocks) return std::puts("every block is in use"), 1;
    auto complete = std::move(*blocks).stage(missing, 16);
    if (!complete) return std::puts(complete.error().error.text().c_str()), 1;  // the blocks are inside the refusal
    prefix.append(manager->register_blocks(std::move(*complete)));

    std::printf("request %d: %u blocks, %zu computed\n", request, prefix.size(), missing.size());
  }  // dropped, the blocks become idle: matched again at once, or evicted when room is needed
  return manager->available_blocks() == 1024 ? 0 : 1;
}
