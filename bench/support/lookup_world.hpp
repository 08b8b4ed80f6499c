#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "kernels/prefix_match.hpp"
#include "src/host/lookup/prefix_planner.hpp"

namespace kvbm::bench {

using LookupBatch = kernels::PrefixMatchBatch<kernels::FingerprintSlot, std::uint64_t>;

/// The median of some samples, and how far the middle 80 percent of them lie apart, as a part of it.
struct Sampled {
  double seconds;
  double spread;
};

/// Three warm-ups, then `samples` measurements of work().
template <class Work>
[[nodiscard]] Sampled sample(unsigned samples, Work&& work) {
  constexpr int kWarmUps = 3;
  std::vector<double> seconds;
  for (int i = 0; i < kWarmUps; ++i) work();
  for (unsigned i = 0; i < samples; ++i) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    seconds.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count());
  }
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  return {median, (seconds[seconds.size() * 9 / 10] - seconds[seconds.size() / 10]) / median};
}

/// A table of known keys at a load.
struct LookupWorld {
  explicit LookupWorld(std::uint64_t keys, double load)
      : planner({.keys = static_cast<std::uint64_t>(static_cast<double>(keys) * 0.95 / load), .load_max = 0.95}),
        known(keys) {
    for (std::uint64_t number = 0; number < keys; ++number) planner.add(key(number), hint(number));
    static_cast<void>(planner.commit());
  }

  [[nodiscard]] static std::uint64_t key(std::uint64_t number) noexcept {
    return kernels::fingerprint_of(SequenceHash::from_bits(number, ~number));
  }
  [[nodiscard]] static BlockHint hint(std::uint64_t number) noexcept {
    return BlockHint(0, static_cast<BlockId>(number), 1);
  }

  PrefixPlanner<kernels::FingerprintSlot> planner;
  std::uint64_t known;
};

/// Requests of given lengths over a world, with poisoned answers that are compared with what they must be.
struct Questions {
  std::vector<std::uint32_t> offsets{0};
  std::vector<std::uint64_t> keys;
  std::vector<std::uint64_t> numbers;  // that the keys were made of; beyond the known ones: absent
  std::uint32_t blocks_max = 0;
  std::vector<BlockHint> hints;
  std::vector<std::uint32_t> prefixes;

  Questions(const LookupWorld& world, const std::vector<std::uint32_t>& lengths, bool hit) {
    std::mt19937_64 random(7);
    for (const std::uint32_t length : lengths) {
      for (std::uint32_t i = 0; i < length; ++i) {
        numbers.push_back(random() % world.known + (hit ? 0 : world.known));
        keys.push_back(LookupWorld::key(numbers.back()));
      }
      offsets.push_back(static_cast<std::uint32_t>(keys.size()));
      blocks_max = std::max(blocks_max, length);
    }
    poison();
  }
  [[nodiscard]] std::uint32_t requests() const noexcept { return static_cast<std::uint32_t>(offsets.size() - 1); }
  void poison() {
    hints.assign(keys.size(), BlockHint(9, 9, 9));
    prefixes.assign(requests(), ~0u);
  }
  [[nodiscard]] LookupBatch batch(const LookupWorld& world) {
    return {world.planner.view(), keys.data(), offsets.data(), requests(), blocks_max, hints.data(),
            prefixes.data(),      nullptr,     nullptr,        0,          nullptr};
  }
  /// Errors  std::logic_error naming `what`. All keys are known, or none is.
  void verify(const LookupWorld& world, const std::string& what) const {
    for (std::uint32_t request = 0; request < requests(); ++request) {
      const std::uint32_t length = offsets[request + 1] - offsets[request];
      const bool hit = length != 0 && numbers[offsets[request]] < world.known;
      bool right = prefixes[request] == (hit ? length : 0);
      for (std::uint32_t i = offsets[request]; right && i < offsets[request] + prefixes[request]; ++i) {
        right = hints[i] == LookupWorld::hint(numbers[i]);
      }
      if (!right) throw std::logic_error(what + ": a wrong answer for request " + std::to_string(request));
    }
  }
};

}  // namespace kvbm::bench
