#pragma once

#include <cstdint>
#include <string>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"

namespace kvbm {

/// A copy between tiers that did not come about.
struct TieringFailure {
  enum class Operation : std::uint8_t {
    Onboard,  ///< the blocks stay in G2
    Stage,    ///< victims of G1 on their way to staging memory: they are lost
    Offload,  ///< the blocks are not in G2
    Order,    ///< streams could not be ordered; the host waited instead, nothing is lost
  };
  Operation operation;
  std::uint32_t blocks;     ///< how many pages the transfer was to move
  SequenceHash first_hash;  ///< of the first of them
  BlockId first_block;      ///< and where it was to be read from
  std::string text;         ///< names call, tiers and block, and what the device said
};

/// What moved between the tiers so far.
struct TieringCounts {
  std::uint64_t onboarded_blocks = 0;  ///< registered in G1
  std::uint64_t offloaded_blocks = 0;  ///< registered in G2
  std::uint64_t bytes_onboarded = 0;
  std::uint64_t bytes_offloaded = 0;
  std::uint64_t lost_blocks = 0;          ///< victims that were to go to G2 and did not: failures, or no room
  std::uint64_t skipped_blocks = 0;       ///< to be written behind, but evicted before, or in G2 or on its way there
  std::uint64_t forgotten_blocks = 0;     ///< to be written behind, but the queue was full
  std::uint64_t cancelled_blocks = 0;     ///< given up by whoever asked for them, before they were enqueued
  std::uint64_t failures = 0;             ///< reported to a caller or through take_failures()
  std::uint64_t unreported_failures = 0;  ///< of these, fell out of the list since nobody took it
};

}  // namespace kvbm
