#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "bench/support/lookup_reference.cuh"
#include "kernels/prefix_match.hpp"
#include "src/host/lookup/prefix_planner.hpp"

namespace kvbm::bench {

using LookupBatch = kernels::PrefixMatchBatch<kernels::FingerprintSlot, std::uint64_t>;

/// The median of some samples, and how far the middle 80 percent of them lie apart, as a part of it.
struct Sampled {
  double seconds;
  double spread;
};

/// Something to be measured, which does what one sample is of so many times.
struct Contender {
  std::function<void()> work;
  unsigned times = 1;
};

/// Three warm-ups each, then `samples` measurements each, in turn: A B C A B C. Seconds are those of one time.
[[nodiscard]] std::vector<Sampled> sample_in_turn(unsigned samples, std::span<const Contender> contenders);
[[nodiscard]] Sampled sample(unsigned samples, const std::function<void()>& work);

/// A table of known keys at a load.
struct LookupWorld {
  explicit LookupWorld(std::uint64_t keys, double load)
      : planner({.keys = static_cast<std::uint64_t>(static_cast<double>(keys) * 0.95 / load), .load_max = 0.95}),
        known(keys) {
    for (std::uint64_t number = 0; number < keys; ++number) planner.add(key(number), hint(number));
    static_cast<void>(planner.commit());
  }

  [[nodiscard]] static std::uint64_t key(std::uint64_t number) noexcept {
    return world_key<kernels::FingerprintSlot>(number);
  }
  [[nodiscard]] static BlockHint hint(std::uint64_t number) noexcept { return world_hint(number); }

  PrefixPlanner<kernels::FingerprintSlot> planner;
  std::uint64_t known;
};

/// How much of each request is known.
enum class Known { All, Half, None };  ///< half: from the start up to any block, evenly spread

/// Requests of given lengths over a world, with poisoned answers that are compared with what they must be.
struct Questions {
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint64_t> keys;
  std::vector<std::uint64_t> numbers;  // that the keys were made of; beyond the known ones: absent
  std::uint32_t blocks_max = 0;
  std::vector<std::uint32_t> expected;  // prefixes
  std::vector<BlockHint> hints;
  std::vector<std::uint32_t> prefixes;

  Questions(const LookupWorld& world, const std::vector<std::uint32_t>& lengths, Known known);
  /// `requests` of the same length.
  Questions(const LookupWorld& world, std::uint32_t requests, std::uint32_t length, Known known)
      : Questions(world, std::vector<std::uint32_t>(requests, length), known) {}

  [[nodiscard]] std::uint32_t requests() const noexcept { return static_cast<std::uint32_t>(offsets.size() - 1); }
  [[nodiscard]] std::uint32_t blocks() const noexcept { return offsets.back(); }
  void poison() {
    hints.assign(keys.size(), BlockHint(9, 9, 9));
    prefixes.assign(requests(), ~0u);
  }
  [[nodiscard]] LookupBatch batch(const LookupWorld& world) {
    return {world.planner.view(), keys.data(), offsets.data(), requests(), blocks_max, hints.data(),
            prefixes.data(),      nullptr,     nullptr,        0,          nullptr,    blocks()};
  }
  void verify(const std::string& what) const { verify(prefixes, hints, what); }
  /// Errors  std::logic_error naming `what`.
  void verify(std::span<const std::uint32_t> found, std::span<const BlockHint> found_hints,
              const std::string& what) const;
};

}  // namespace kvbm::bench
