#pragma once

#include <vector>

#include "tests/lookup/match_cases.hpp"

namespace kvbm::test {

/// Requests of which some first blocks are known and the others are not, as they are while every block's parent is
/// there; of all lengths and all prefixes, as far as they are short.
template <class SlotType, class InputType>
struct CountCase {
  using Slot = SlotType;
  using Input = InputType;
  using Batch = kernels::PrefixMatchBatch<Slot, Input>;

  PrefixPlanner<Slot> planner;
  std::vector<Input> keys;
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint32_t> expected;

  explicit CountCase(bool monotone, std::uint64_t known = 5000) : planner({.keys = known, .load_max = 0.95}) {
    for (std::uint64_t number = 0; number < known; ++number) {
      planner.add(Slot::key_of(hash(number)), MatchCase<Slot, Input>::hint_of(number));
    }
    planner.set_monotone(monotone);
    static_cast<void>(planner.commit());
    for (std::uint32_t length = 0; length <= 40; ++length) {
      for (std::uint32_t prefix = 0; prefix <= length; ++prefix) add(length, prefix, known);
    }
    for (std::uint32_t length : {63u, 64u, 65u, 72u, 73u, 80u, 81u, 512u, 1000u, 4000u}) {
      for (std::uint32_t prefix : {0u, 1u, length / 9, length / 9 + 1, length / 2, length - 1, length}) {
        add(length, prefix, known);
      }
    }
  }

  [[nodiscard]] std::uint32_t requests() const { return static_cast<std::uint32_t>(offsets.size() - 1); }
  [[nodiscard]] Batch batch(std::vector<std::uint32_t>& prefixes) const {
    return {.table = planner.view(),
            .keys = keys.data(),
            .offsets = offsets.data(),
            .requests = requests(),
            .blocks_max = 4000,
            .hints = nullptr,
            .prefixes = prefixes.data(),
            .epochs = nullptr,
            .done = nullptr,
            .done_value = 0,
            .blocks_left = nullptr,
            .blocks = offsets.back(),
            .count_only = true};
  }
  /// `again`: as many known blocks at the end, behind a hole.
  void add(std::uint32_t length, std::uint32_t prefix, std::uint64_t known, std::uint32_t again = 0) {
    for (std::uint32_t i = 0; i < length; ++i) {
      const bool is_known = i < prefix || i >= length - again;
      keys.push_back(numbered_key<Slot, Input>(is_known ? i : known + i));
    }
    offsets.push_back(static_cast<std::uint32_t>(keys.size()));
    expected.push_back(prefix);
  }
};

}  // namespace kvbm::test
