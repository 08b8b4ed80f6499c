#pragma once

#include <cstdint>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/prefix_match.hpp"
#include "tests/lookup/planner_cases.hpp"

namespace kvbm::test {

/// What a look-up is asked for: block `number`, by its hash or by a slot's key.
template <class Slot, class Input>
[[nodiscard]] Input numbered_key(std::uint64_t number) {
  if constexpr (std::is_same_v<Input, SequenceHash>) {
    return hash(number);
  } else {
    return Slot::key_of(hash(number));
  }
}

/// Answers of one look-up, with what every driver expects to find there before.
struct MatchAnswers {
  std::vector<BlockHint> hints;
  std::vector<std::uint32_t> prefixes;

  MatchAnswers(std::size_t keys, std::size_t requests)
      : hints(keys + 1, BlockHint(7, 0xBAD, 7)), prefixes(requests, ~0u) {}

  /// What counts: prefixes, and the hints inside them.
  void expect_equal(const MatchAnswers& expected, std::span<const std::uint32_t> offsets) const {
    ASSERT_EQ(prefixes, expected.prefixes);
    for (std::size_t request = 0; request + 1 < offsets.size(); ++request) {
      for (std::uint32_t i = 0; i < prefixes[request]; ++i) {
        ASSERT_EQ(hints[offsets[request] + i], expected.hints[offsets[request] + i])
            << "request " << request << ", block " << i;
      }
    }
    ASSERT_EQ(hints.back(), BlockHint(7, 0xBAD, 7)) << "written beyond the end";
  }
};

/// A table at a load, and requests over it of which some blocks are there: whole ones, prefixes, holes, none at all,
/// repeated hashes, no blocks, one block, ten thousand.
template <class SlotType, class InputType>
struct MatchCase {
  using Slot = SlotType;
  using Input = InputType;
  using Batch = kernels::PrefixMatchBatch<Slot, Input>;

  PrefixPlanner<Slot> planner;
  std::vector<Input> keys;
  std::vector<std::uint32_t> offsets{0};
  std::uint32_t blocks_max = 0;

  explicit MatchCase(std::uint64_t seed, double load = 0.95, std::uint64_t known = 20'000)
      : planner({.keys = known, .load_max = load}), random_(seed), known_(known) {
    for (std::uint64_t number = 0; number < known; ++number) {
      planner.add(Slot::key_of(hash(number)), hint_of(number));
    }
    static_cast<void>(planner.commit());
    for (const std::uint32_t length : {0u, 1u, 7u, 8u, 9u, 31u, 32u, 33u, 255u, 256u, 257u, 513u, 2048u, 10'000u}) {
      add_request(length, length, length);      // all there
      add_request(length, length / 2, length);  // the first half is there
      add_request(length, length / 3, 0);       // a hole, and more behind it
      add_request(length, 0, 0);                // a hole at the start
      add_request(length, length - 1, length);  // all but the last
    }
    for (int i = 0; i < 300; ++i) {
      const auto length = static_cast<std::uint32_t>(random_() % 80);
      add_request(length, static_cast<std::uint32_t>(random_() % (length + 1)), length);
    }
    const Input again = numbered_key<Slot, Input>(1);
    for (int i = 0; i < 40; ++i) keys.push_back(again);
    close_request();
  }

  static BlockHint hint_of(std::uint64_t number) {
    return BlockHint(static_cast<unsigned>(number % 3), static_cast<BlockId>(number),
                     static_cast<std::uint32_t>(number));
  }
  [[nodiscard]] std::uint32_t requests() const { return static_cast<std::uint32_t>(offsets.size() - 1); }

  [[nodiscard]] Batch batch(MatchAnswers& answers) const {
    return {planner.view(),          keys.data(), offsets.data(), requests(), blocks_max, answers.hints.data(),
            answers.prefixes.data(), nullptr,     nullptr,        0,          nullptr};
  }
  /// By the plainest loop there is.
  [[nodiscard]] MatchAnswers expected() const {
    MatchAnswers answers(keys.size(), requests());
    for (std::uint32_t request = 0; request < requests(); ++request) {
      std::uint32_t place = offsets[request];
      for (; place < offsets[request + 1]; ++place) {
        const BlockHint hint = planner.view().find(Slot::key_of(keys[place]));
        if (!hint.present()) break;
        answers.hints[place] = hint;
      }
      answers.prefixes[request] = place - offsets[request];
    }
    return answers;
  }

 private:
  /// Blocks `hole` up to `again` are unknown.
  void add_request(std::uint32_t length, std::uint32_t hole, std::uint32_t again) {
    for (std::uint32_t i = 0; i < length; ++i) {
      const bool known = i < hole || (i > hole && again == 0);
      keys.push_back(numbered_key<Slot, Input>(known ? random_() % known_ : known_ + random_() % 1'000'000));
    }
    close_request();
  }
  void close_request() {
    blocks_max = std::max(blocks_max, static_cast<std::uint32_t>(keys.size()) - offsets.back());
    offsets.push_back(static_cast<std::uint32_t>(keys.size()));
  }

  std::mt19937_64 random_;
  std::uint64_t known_;
};

}  // namespace kvbm::test
