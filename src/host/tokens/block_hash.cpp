#include "kvbm/tokens/block_hash.hpp"

#include <algorithm>
#include <cstring>
#include <exception>
#include <stdexcept>
#include <string>
#include <thread>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/xxh3.hpp"
#include "src/host/tokens/block_hasher.hpp"

namespace kvbm {
namespace {

constexpr std::size_t kFrameBytes = 13;
constexpr std::size_t kFramesAtOnce = 64;

/// Writes the frames of `tokens`, the first of which has index `offset`; `runs` are those that touch them, or more.
void write_frames(std::span<const Token> tokens, std::size_t offset, std::span<const MmRun> runs,
                  std::byte* frames) noexcept {
  std::size_t run = 0;
  for (std::size_t i = 0; i < tokens.size(); ++i, frames += kFrameBytes) {
    const std::size_t slot = offset + i;
    while (run < runs.size() && runs[run].end() <= slot) ++run;
    const bool placeholder = run < runs.size() && runs[run].offset <= slot;
    const std::uint32_t word = placeholder ? static_cast<std::uint32_t>(slot - runs[run].offset) : tokens[i];
    const std::uint64_t object = placeholder ? runs[run].mm_hash : 0;
    frames[0] = std::byte{placeholder};
    std::memcpy(frames + 1, &word, sizeof(word));
    std::memcpy(frames + 5, &object, sizeof(object));
  }
}

/// Hashes the frames of a block of any size without allocating.
[[gnu::noinline]] std::uint64_t hash_frames(std::span<const Token> tokens, std::size_t offset,
                                            std::span<const MmRun> runs, std::uint64_t salt) noexcept {
  std::byte frames[kFramesAtOnce * kFrameBytes];
  if (tokens.size() <= kFramesAtOnce) {
    write_frames(tokens, offset, runs, frames);
    return XXH3_64bits_withSeed(frames, tokens.size() * kFrameBytes, salt);
  }
  XXH3_state_t state;
  XXH3_INITSTATE(&state);
  XXH3_64bits_reset_withSeed(&state, salt);
  for (std::size_t done = 0; done < tokens.size(); done += kFramesAtOnce) {
    const std::span<const Token> part = tokens.subspan(done, std::min(kFramesAtOnce, tokens.size() - done));
    write_frames(part, offset + done, runs, frames);
    XXH3_64bits_update(&state, frames, part.size() * kFrameBytes);
  }
  return XXH3_64bits_digest(&state);
}

/// Calls `use` with a function that gives the job's block hashes one after another. Text alone has a function of its
/// own, with so little state that the loop around it stays in registers.
template <class Use>
auto with_block_hashes(const BlockHashJob& job, const SaltedXxh3& xxh3, Use use) noexcept {
  const Token* tokens = job.tokens.data();
  const std::size_t size = job.block_size;
  if (job.runs.empty()) {
    return use([&xxh3, tokens, size]() mutable noexcept {
      const Token* const block = tokens;
      tokens += size;
      return xxh3(block, size * sizeof(Token));
    });
  }
  std::size_t offset = job.first_position * size;
  RunCursor cursor(job.runs, offset);
  return use([&, tokens, size]() mutable noexcept -> std::uint64_t {
    const std::span<const Token> block(tokens, size);
    const std::span<const MmRun> touching = cursor.touching(offset, offset + size);
    const std::size_t block_offset = offset;
    tokens += size;
    offset += size;
    return touching.empty() ? xxh3(block.data(), block.size_bytes())
                            : hash_frames(block, block_offset, touching, job.salt);
  });
}

/// Links `hashes` into the chain behind `parent`; `next_block_hash()` gives their block hashes in order.
/// Returns the last current hash.
template <class NextBlockHash>
std::uint64_t link(std::span<SequenceHash> hashes, std::uint64_t parent, std::size_t position,
                   NextBlockHash next_block_hash) noexcept {
  auto hash = hashes.begin();
  if (position == 0 && hash != hashes.end()) {
    parent = next_block_hash();
    *hash++ = SequenceHash::root(parent);
    ++position;
  }
  for (; hash != hashes.end(); ++hash, ++position) {
    const std::uint64_t current = chain_hash_inline(parent, next_block_hash());
    *hash = SequenceHash::pack(current, parent, position);
    parent = current;
  }
  return parent;
}

std::uint64_t hash_and_link(const BlockHashJob& job, const SaltedXxh3& xxh3, std::span<SequenceHash> hashes) noexcept {
  return with_block_hashes(
      job, xxh3, [&](auto next_block_hash) { return link(hashes, job.parent, job.first_position, next_block_hash); });
}

/// Leaves the block hashes in the low halves of `hashes`, which link() then reads from there.
void hash_only(const BlockHashJob& job, const SaltedXxh3& xxh3, std::span<SequenceHash> hashes) noexcept {
  with_block_hashes(job, xxh3, [&](auto next_block_hash) {
    for (SequenceHash& hash : hashes) hash = SequenceHash::from_bits(0, next_block_hash());
  });
}

/// Shares the block hashes out among helpers and links them in order.
/// Helpers that cannot be started leave their shares to the calling thread.
void run_with_helpers(BlockHashJob job, const SaltedXxh3& xxh3, std::span<SequenceHash> hashes) noexcept {
  const std::size_t share = (hashes.size() + job.threads - 1) / job.threads;
  const BlockHashJob whole = job;
  std::vector<std::jthread> helpers;
  try {
    for (std::size_t first = share; first < hashes.size(); first += share) {
      job.tokens = whole.tokens.subspan(first * job.block_size);
      job.first_position = whole.first_position + first;
      const std::span<SequenceHash> part = hashes.subspan(first, std::min(share, hashes.size() - first));
      helpers.emplace_back([job, part, &xxh3] { hash_only(job, xxh3, part); });
    }
  } catch (const std::exception&) {  // no thread or no memory for one: link what the helpers have, hash the rest here
  }
  job = whole;
  const std::size_t first_share = std::min(share, hashes.size());
  job.parent = hash_and_link(job, xxh3, hashes.first(first_share));
  std::size_t done = first_share;
  for (std::jthread& helper : helpers) {
    helper.join();
    const std::span<SequenceHash> part = hashes.subspan(done, std::min(share, hashes.size() - done));
    job.parent = link(part, job.parent, whole.first_position + done,
                      [next = part.begin()]() mutable { return (next++)->low(); });
    done += part.size();
  }
  job.tokens = whole.tokens.subspan(done * job.block_size);
  job.first_position = whole.first_position + done;
  hash_and_link(job, xxh3, hashes.subspan(done));
}

}  // namespace

RunCursor::RunCursor(std::span<const MmRun> runs, std::size_t first_token) noexcept
    : runs_(runs),
      next_(static_cast<std::size_t>(
          std::ranges::partition_point(runs, [=](const MmRun& run) { return run.end() <= first_token; }) -
          runs.begin())) {}

std::uint64_t block_hash(std::span<const Token> tokens, std::uint64_t salt) noexcept {
  return xxh3_64(std::as_bytes(tokens), salt);
}

std::uint64_t block_hash(std::span<const Token> tokens, std::size_t block_offset, std::span<const MmRun> runs,
                         std::uint64_t salt) noexcept {
  const std::span<const MmRun> touching =
      RunCursor(runs, block_offset).touching(block_offset, block_offset + tokens.size());
  return touching.empty() ? block_hash(tokens, salt) : hash_frames(tokens, block_offset, touching, salt);
}

std::vector<std::byte> block_bytes(std::span<const Token> tokens, std::size_t block_offset,
                                   std::span<const MmRun> runs) {
  const std::span<const MmRun> touching =
      RunCursor(runs, block_offset).touching(block_offset, block_offset + tokens.size());
  if (touching.empty()) {
    const std::span<const std::byte> plain = std::as_bytes(tokens);
    return {plain.begin(), plain.end()};
  }
  std::vector<std::byte> frames(tokens.size() * kFrameBytes);
  write_frames(tokens, block_offset, touching, frames.data());
  return frames;
}

std::uint64_t salt_hash(std::span<const std::byte> payload) noexcept { return xxh3_64(payload, 0); }

std::uint64_t request_salt(std::string_view lora_name, std::string_view salt) noexcept {
  constexpr std::uint64_t kRequestSaltBase = 1337;
  std::uint64_t sum = kRequestSaltBase;
  if (!lora_name.empty()) sum += xxh3_64(std::as_bytes(std::span(lora_name)), 0);
  if (!salt.empty()) sum += xxh3_64(std::as_bytes(std::span(salt)), 1);
  return sum;
}

void run_block_hash_job(const BlockHashJob& job, std::span<SequenceHash> hashes) noexcept {
  KVBM_ASSERT(job.tokens.size() / job.block_size >= hashes.size(), "a block to hash lacks tokens");
  const SaltedXxh3 xxh3(job.salt, job.block_size * sizeof(Token));
  if (job.threads > 1) return run_with_helpers(job, xxh3, hashes);
  hash_and_link(job, xxh3, hashes);
}

void check_block_count(std::size_t blocks) {
  if (blocks > SequenceHash::kPositionLimit) {
    throw std::invalid_argument("the last block would have position " + std::to_string(blocks - 1) +
                                ", which is not below " + std::to_string(SequenceHash::kPositionLimit));
  }
}

std::uint32_t checked_block_size(std::uint32_t block_size) {
  if (block_size == 0) throw std::invalid_argument("block_size is 0");
  return block_size;
}

std::size_t hash_blocks(std::span<const Token> tokens, const HashBlocksOptions& options,
                        std::span<SequenceHash> hashes) {
  const std::size_t count = std::min(tokens.size() / checked_block_size(options.block_size), hashes.size());
  const std::size_t first = options.parent ? options.parent->position() + 1 : 0;
  check_block_count(first + count);
  run_block_hash_job({.tokens = tokens,
                      .block_size = options.block_size,
                      .runs = {},
                      .first_position = first,
                      .salt = options.salt,
                      .parent = options.parent ? options.parent->current() : 0,
                      .threads = std::max(options.threads, 1u)},
                     hashes.first(count));
  return count;
}

}  // namespace kvbm
