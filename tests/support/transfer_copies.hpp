#pragma once

#include <optional>

#include "tests/support/transfer_suite.hpp"

namespace kvbm::test {

/// What every engine moves, and how. Run by instantiating it.
class TransferCopies : public TransferWorld {};

TEST_P(TransferCopies, BetweenAllLayoutsInAllMemory) {
  TransferEngine engine(device_, small_options());
  for (const LayoutKind from : kEveryKind) {
    for (const LayoutKind to : kEveryKind) {
      for (const MemoryKind source_memory : kEveryMemory) {
        for (const MemoryKind target_memory : kEveryMemory) {
          GuardedPages source(device_, small_config(), {from, source_memory, 0});
          GuardedPages target(device_, small_config(), {to, target_memory, 0});
          SCOPED_TRACE(text_of(source.place()) + " to " + text_of(target.place()));
          expect_copied(engine, source, target, random_pairs(12, 10, random_));
        }
      }
    }
  }
}

}  // namespace kvbm::test
