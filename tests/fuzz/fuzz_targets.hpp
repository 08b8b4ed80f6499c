#pragma once

#include <cstdint>
#include <span>

namespace kvbm::fuzz {

/// What the fuzzers call with arbitrary bytes. A fault ends the process: KVBM_ASSERT, a sanitizer, or a signal.
///
/// Source  libFuzzer, whose entry point fuzz_main.cpp has; corpus_test.cpp calls the same functions every day.
void replay_recording(std::span<const std::uint8_t> bytes);
void read_trace(std::span<const std::uint8_t> bytes);
void edit_token_sequence(std::span<const std::uint8_t> bytes);

}  // namespace kvbm::fuzz
