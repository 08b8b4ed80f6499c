#include "bench/support/lookup_world.hpp"

namespace kvbm::bench {

std::vector<Sampled> sample_in_turn(unsigned samples, std::span<const Contender> contenders) {
  constexpr int kWarmUps = 3;
  std::vector<std::vector<double>> seconds(contenders.size());
  for (int i = 0; i < kWarmUps; ++i) {
    for (const Contender& contender : contenders) contender.work();
  }
  for (unsigned i = 0; i < samples; ++i) {
    for (std::size_t which = 0; which < contenders.size(); ++which) {
      const auto begin = std::chrono::steady_clock::now();
      contenders[which].work();
      const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
      seconds[which].push_back(passed.count() / contenders[which].times);
    }
  }
  std::vector<Sampled> all;
  for (std::vector<double>& of_one : seconds) {
    std::ranges::sort(of_one);
    const double median = of_one[of_one.size() / 2];
    all.push_back({median, (of_one[of_one.size() * 9 / 10] - of_one[of_one.size() / 10]) / median});
  }
  return all;
}

Sampled sample(unsigned samples, const std::function<void()>& work) {
  const Contender only{work};
  return sample_in_turn(samples, {&only, 1}).front();
}

Questions::Questions(const LookupWorld& world, const std::vector<std::uint32_t>& lengths, Known known) {
  std::mt19937_64 random(7);
  std::size_t all = 0;
  for (const std::uint32_t length : lengths) all += length;
  keys.reserve(all);
  numbers.reserve(all);
  for (const std::uint32_t length : lengths) {
    const std::uint32_t half = static_cast<std::uint32_t>(random() % (std::uint64_t{length} + 1));
    expected.push_back(known == Known::All ? length : known == Known::Half ? half : 0);
    for (std::uint32_t i = 0; i < length; ++i) {
      numbers.push_back(random() % world.known + (i < expected.back() ? 0 : world.known));
      keys.push_back(LookupWorld::key(numbers.back()));
    }
    offsets.push_back(static_cast<std::uint32_t>(keys.size()));
    blocks_max = std::max(blocks_max, length);
  }
  poison();
}

void Questions::verify(std::span<const std::uint32_t> found, std::span<const BlockHint> found_hints,
                       const std::string& what) const {
  for (std::uint32_t request = 0; request < requests(); ++request) {
    bool right = found[request] == expected[request];
    for (std::uint32_t i = offsets[request]; right && i < offsets[request] + expected[request]; ++i) {
      right = found_hints[i] == LookupWorld::hint(numbers[i]);
    }
    if (!right) throw std::logic_error(what + ": a wrong answer for request " + std::to_string(request));
  }
}

}  // namespace kvbm::bench
