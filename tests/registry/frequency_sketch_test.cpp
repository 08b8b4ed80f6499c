#include "kvbm/registry/frequency_sketch.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <barrier>
#include <random>
#include <thread>
#include <vector>

#include "kvbm/base/mutex.hpp"

namespace kvbm {
namespace {

std::shared_ptr<FrequencySketch> sketch_of(const FrequencySketchOptions& options) {
  return *make_frequency_sketch(options);
}

std::vector<SequenceHash> random_keys(std::size_t count, std::uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::vector<SequenceHash> keys;
  for (std::size_t i = 0; i < count; ++i) {
    const std::uint64_t high = random();
    keys.push_back(SequenceHash::from_bits(high, random()));
  }
  return keys;
}

void touch_times(FrequencyTracker& tracker, const SequenceHash& key, int times) {
  for (int i = 0; i < times; ++i) tracker.touch(key);
}

template <class Body>
void in_threads(int count, const Body& body) {
  std::barrier gate(count);
  std::vector<std::jthread> threads;
  for (int i = 0; i < count; ++i) {
    threads.emplace_back([&gate, &body, i] {
      gate.arrive_and_wait();
      body(i);
    });
  }
}

class NeverDecay final : public DecayPolicy {
 public:
  [[nodiscard]] bool should_decay(std::uint64_t /*size*/) const noexcept override { return false; }
};

/// Decays at the first increment after arm(), and writes down the sizes it was asked about.
class ArmedDecay final : public DecayPolicy {
 public:
  void arm() noexcept { armed_.store(true); }
  [[nodiscard]] bool should_decay(std::uint64_t size) const noexcept override {
    const MutexLock lock(mutex_);
    sizes_.push_back(size);
    return armed_.exchange(false);
  }
  [[nodiscard]] std::vector<std::uint64_t> sizes() const {
    const MutexLock lock(mutex_);
    return sizes_;
  }

 private:
  mutable std::atomic<bool> armed_{false};
  mutable Mutex mutex_;
  mutable std::vector<std::uint64_t> sizes_ KVBM_GUARDED_BY(mutex_);
};

/// Decays from `sample` on, and holds each thread that it tells so until there are two of them.
class GateDecay final : public DecayPolicy {
 public:
  explicit GateDecay(std::uint64_t sample) : sample_(sample) {}
  [[nodiscard]] bool should_decay(std::uint64_t size) const noexcept override {
    if (size < sample_) return false;
    gate_.arrive_and_wait();
    return true;
  }

 private:
  std::uint64_t sample_;
  mutable std::barrier<> gate_{2};
};

const SequenceHash kA = SequenceHash::root(42);
const SequenceHash kB = SequenceHash::root(43);

// ---- both ways of indexing ----

class EachSketch : public testing::TestWithParam<SketchIndexing> {
 protected:
  static std::shared_ptr<FrequencySketch> make(std::size_t capacity,
                                               std::shared_ptr<const DecayPolicy> decay = nullptr) {
    return sketch_of({.capacity = capacity, .decay = std::move(decay), .indexing = GetParam()});
  }
};

INSTANTIATE_TEST_SUITE_P(FrequencySketch, EachSketch, testing::Values(SketchIndexing::Mended, SketchIndexing::Recorded),
                         [](const auto& test) { return test.param == SketchIndexing::Mended ? "Mended" : "Recorded"; });

TEST_P(EachSketch, CountsTouches) {  // logical.md 18.18 cases 216, 219
  const auto sketch = make(1000);

  sketch->touch(kA);
  EXPECT_EQ(sketch->count(kA), 1u);

  touch_times(*sketch, kA, 2);
  EXPECT_EQ(sketch->count(kA), 3u);
  EXPECT_EQ(sketch->count(kB), 0u);
}

TEST_P(EachSketch, CountsNumbers) {  // logical.md 18.18 case 216
  const auto sketch = make(1000);

  sketch->touch_number(42);
  EXPECT_EQ(sketch->count_number(42), 1u);

  sketch->touch_number(42);
  sketch->touch_number(42);
  EXPECT_EQ(sketch->count_number(42), 3u);
  EXPECT_EQ(sketch->count_number(43), 0u);
}

TEST_P(EachSketch, SaturatesAtFifteen) {  // logical.md 18.18 case 217
  const auto sketch = make(1000);

  touch_times(*sketch, kA, 20);

  EXPECT_EQ(sketch->count(kA), 15u);
  EXPECT_EQ(sketch->count(kB), 0u);
}

TEST_P(EachSketch, SurvivesMoreKeysThanItIsMadeFor) {  // logical.md 18.18 case 218
  const auto sketch = make(10);
  const auto keys = random_keys(100);

  for (const SequenceHash& key : keys) sketch->touch(key);

  std::uint32_t sum = 0;
  for (const SequenceHash& key : keys) {
    EXPECT_LE(sketch->count(key), 15u);
    sum += sketch->count(key);
  }
  EXPECT_GT(sum, 0u);
}

TEST_P(EachSketch, TakesTheSmallestCapacities) {
  for (const std::size_t capacity : {0u, 1u, 3u, 4u}) {
    const auto sketch = make(capacity, std::make_shared<NeverDecay>());

    sketch->touch(kA);

    EXPECT_EQ(sketch->count(kA), 1u) << "capacity " << capacity;
  }
}

TEST_P(EachSketch, ArmedPolicyHalvesAtTheNextTouch) {  // logical.md 18.18 case 223
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = make(1000, decay);
  touch_times(*sketch, kA, 4);
  EXPECT_EQ(sketch->count(kA), 4u);

  decay->arm();
  sketch->touch(kB);

  EXPECT_EQ(sketch->count(kA), 2u);
  EXPECT_LE(sketch->count(kB), 1u);
}

TEST_P(EachSketch, HalvesAsOftenAsThereWereAgings) {
  for (const int agings : {1, 2, 3, 4, 5, 6, 32, 64, 200}) {
    const std::uint32_t left = agings < 32 ? 13u >> agings : 0;
    const auto decay = std::make_shared<ArmedDecay>();
    const auto sketch = make(100'000, decay);
    touch_times(*sketch, kA, 13);

    for (int i = 0; i < agings; ++i) {
      decay->arm();
      sketch->touch(kB);
    }

    EXPECT_EQ(sketch->count(kA), left) << agings;
    sketch->touch(kA);
    EXPECT_EQ(sketch->count(kA), left + 1) << agings;
  }
}

TEST_P(EachSketch, HalvesEachCounterOnItsOwn) {
  const auto decay = std::make_shared<ArmedDecay>();
  const auto aging = make(100, decay);
  const auto ageless = make(100, std::make_shared<NeverDecay>());
  const auto keys = random_keys(300);
  for (const auto& sketch : {aging, ageless}) sketch->touch(std::span(keys).first(299));

  decay->arm();
  for (const auto& sketch : {aging, ageless}) sketch->touch(keys.back());

  for (const SequenceHash& key : keys) ASSERT_EQ(aging->count(key), ageless->count(key) / 2);
}

TEST_P(EachSketch, AgesByItsCapacityUnlessToldOtherwise) {  // logical.md 18.18 case 221
  const auto usual = make(100);
  const auto explicit_usual = make(100, std::make_shared<FixedDecayPolicy>(FixedDecayPolicy::from_capacity(100)));
  const auto sooner = make(100, std::make_shared<FixedDecayPolicy>(500));
  const auto keys = random_keys(300);
  std::size_t differences = 0;

  for (int round = 0; round < 12; ++round) {
    for (const auto& sketch : {usual, explicit_usual, sooner}) sketch->touch(keys);
    for (const SequenceHash& key : keys) {
      ASSERT_EQ(usual->count(key), explicit_usual->count(key));
      differences += usual->count(key) != sooner->count(key) ? 1 : 0;
    }
  }

  EXPECT_GT(differences, 0u);
}

TEST_P(EachSketch, BatchCountsLikeSingleTouches) {
  auto keys = random_keys(500);
  keys.insert(keys.end(), keys.begin(), keys.begin() + 100);  // a repeated hash is used twice
  const auto batch = make(2000);
  const auto single = make(2000);

  batch->touch(keys);
  for (const SequenceHash& key : keys) single->touch(key);

  for (const SequenceHash& key : keys) ASSERT_EQ(batch->count(key), single->count(key));
  EXPECT_GE(batch->count(keys[0]), 2u);
}

TEST_P(EachSketch, EmptyBatchAsksNobody) {
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = make(1000, decay);

  sketch->touch(std::span<const SequenceHash>());

  EXPECT_TRUE(decay->sizes().empty());
}

TEST_P(EachSketch, SaturatedTouchesDoNotBringAgingNearer) {
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = make(1000, decay);

  touch_times(*sketch, kA, 100);

  ASSERT_EQ(decay->sizes().size(), 15u);
  EXPECT_EQ(decay->sizes().back(), 15u);
}

TEST_P(EachSketch, ConcurrentTouchesOfOneKeyAddUp) {  // logical.md 18.18 case 225
  const auto others = random_keys(64);
  for (const int touches : {1, 5}) {
    const auto sketch = make(100'000, std::make_shared<NeverDecay>());

    in_threads(8, [&](int) { touch_times(*sketch, kA, touches); });

    EXPECT_GE(sketch->count(kA), std::min(15u, 8u * static_cast<unsigned>(touches)));
    for (const SequenceHash& other : others) EXPECT_LE(sketch->count(other), 15u);
  }
}

TEST_P(EachSketch, ThreadsThatReachTheSampleTogetherAgeOnce) {
  const auto sketch = make(size(FrequencyTrackingCapacity::Large), std::make_shared<FixedDecayPolicy>(1000));
  touch_times(*sketch, kA, 8);
  sketch->touch(random_keys(984));  // size 992
  const auto more = random_keys(128, 2);

  in_threads(8, [&](int thread) { sketch->touch(std::span(more).subspan(static_cast<std::size_t>(thread) * 16, 16)); });

  EXPECT_EQ(sketch->count(kA), 4u);
}

TEST_P(EachSketch, AgingUnderTouchesLosesNothingElse) {
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = make(100, decay);  // few lines, so that the keys are neighbours
  const auto keys = random_keys(16);
  touch_times(*sketch, kA, 15);

  in_threads(4, [&](int thread) {
    for (int i = 0; i < 1000; ++i) {
      if (thread == 0 && (i == 300 || i == 600)) decay->arm();
      sketch->touch(keys[static_cast<std::size_t>(i) % keys.size()]);
    }
  });

  EXPECT_GE(sketch->count(kA), 15u >> 2);
  for (const SequenceHash& key : keys) EXPECT_LE(sketch->count(key), 15u);
}

// ---- decay policies, settings ----

TEST(FixedDecayPolicy, DecaysFromItsSampleOn) {  // logical.md 18.18 case 222
  const FixedDecayPolicy policy(100);

  EXPECT_FALSE(policy.should_decay(99));
  EXPECT_TRUE(policy.should_decay(100));
  EXPECT_TRUE(policy.should_decay(101));
}

TEST(FixedDecayPolicy, TakesTenIncrementsPerUnitOfCapacity) {  // logical.md 18.18 case 222
  EXPECT_FALSE(FixedDecayPolicy::from_capacity(10).should_decay(99));
  EXPECT_TRUE(FixedDecayPolicy::from_capacity(10).should_decay(100));

  EXPECT_EQ(FixedDecayPolicy::from_capacity(size(FrequencyTrackingCapacity::Small)).sample(), 2'621'440u);
  EXPECT_EQ(FixedDecayPolicy::from_capacity(size(FrequencyTrackingCapacity::Medium)).sample(), 20'971'520u);
  EXPECT_EQ(FixedDecayPolicy::from_capacity(size(FrequencyTrackingCapacity::Large)).sample(), 167'772'160u);
  EXPECT_EQ(FixedDecayPolicy::from_capacity(429'496'729).sample(), 4'294'967'290u);
  EXPECT_EQ(FixedDecayPolicy::from_capacity(429'496'730).sample(), 0xFFFF'FFFFu);
  EXPECT_EQ(FixedDecayPolicy::from_capacity(SIZE_MAX).sample(), 0xFFFF'FFFFu);
}

TEST(FrequencySketch, NeedsACapacity) {  // logical.md 18.18 case 221
  const auto sketch = make_frequency_sketch({});
  const auto tracker = make_frequency_tracker(FrequencySketchOptions{});

  ASSERT_FALSE(sketch);
  EXPECT_NE(sketch.error().text.find("capacity"), std::string::npos);
  EXPECT_FALSE(tracker);
}

TEST(FrequencySketch, BecomesATracker) {  // logical.md 18.18 cases 219, 221
  const std::shared_ptr<FrequencyTracker> by_options = *make_frequency_tracker(FrequencySketchOptions{.capacity = 100});
  const std::shared_ptr<FrequencyTracker> by_preset = make_frequency_tracker();

  for (const auto& tracker : {by_options, by_preset}) {
    tracker->touch(kA);
    EXPECT_EQ(tracker->count(kA), 1u);
    touch_times(*tracker, kA, 2);
    EXPECT_EQ(tracker->count(kA), 3u);
  }
}

TEST(NoFrequencyTracker, CountsNothing) {  // logical.md 18.18 case 220
  NoFrequencyTracker tracker;

  tracker.touch(kA);

  EXPECT_EQ(tracker.count(kA), 0u);
}

// ---- recorded indexing: vectors of logical.md 12.5 ----

TEST(RecordedSketch, HashesNumbersAsRecorded) {  // logical.md 18.18 case 224
  using Four = std::array<std::uint64_t, 4>;

  EXPECT_EQ(recorded_sketch_hashes(std::uint64_t{42}),
            (Four{0xd5a6f8c838df27c8, 0x48bc5851e709ac3b, 0xeffabd351b61092f, 0x567e10798c1fc460}));
  EXPECT_EQ(recorded_sketch_hashes(std::uint64_t{0}),
            (Four{0xc77b3abb6f87acd9, 0x44f3398c00f475e4, 0xf65131ef834fbc8a, 0xcd151818ed88b00f}));
}

TEST(RecordedSketch, HashesSequenceHashesAsRecorded) {  // logical.md 18.18 case 224
  using Four = std::array<std::uint64_t, 4>;
  constexpr std::uint64_t kHalf = 0x0123'4567'89AB'CDEF;

  EXPECT_EQ(recorded_sketch_hashes(SequenceHash::from_bits(kHalf, kHalf)),
            (Four{0x28761a69e54c4229, 0xeeedf6460fb2d1bb, 0x84c93d55fd2cd8d7, 0x1df2889a894e034b}));
  EXPECT_EQ(recorded_sketch_hashes(SequenceHash()),
            (Four{0xd0a66a65c7528968, 0x429a28b194b931ae, 0xf0174b31f14e1d0d, 0xb7976af86a3153cb}));
  EXPECT_EQ(recorded_sketch_hashes(SequenceHash(42, std::nullopt, 0)),
            (Four{0xdc8622ef5926ef19, 0xabddbc8e74111ac7, 0x090be61ffe52ec81, 0xd0be5654cd24b7e1}));
}

TEST(RecordedSketch, EstimatesAsRecorded) {  // logical.md 18.18 case 224
  const auto sketch = sketch_of({.capacity = 100, .indexing = SketchIndexing::Recorded});
  const std::vector<std::uint32_t> expected = {3, 3, 2, 5, 4, 8, 7, 0, 6, 3, 3, 4, 7, 8, 0, 1, 3, 9, 4, 7,
                                               6, 0, 1, 3, 3, 8, 7, 9, 6, 5, 2, 6, 4, 5, 6, 0, 8, 2, 5, 4};

  for (std::uint64_t key = 0; key < 200; ++key) {
    for (std::uint64_t i = 0; i < key % 7; ++i) sketch->touch_number(key);
  }

  for (std::uint64_t key = 0; key < expected.size(); ++key) EXPECT_EQ(sketch->count_number(key), expected[key]) << key;
}

TEST(RecordedSketch, SizeLosesHalfAndAQuarterOfTheOddCounters) {  // logical.md 12.3
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = sketch_of({.capacity = 1000, .decay = decay, .indexing = SketchIndexing::Recorded});
  touch_times(*sketch, kA, 4);

  decay->arm();
  touch_times(*sketch, kA, 2);  // size 5 with four odd counters becomes 1

  EXPECT_EQ(decay->sizes(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 2}));
}

// ---- mended indexing ----

TEST(MendedSketch, SizeLosesHalf) {
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = sketch_of({.capacity = 1000, .decay = decay});
  touch_times(*sketch, kA, 4);

  decay->arm();
  touch_times(*sketch, kA, 2);

  EXPECT_EQ(decay->sizes(), (std::vector<std::uint64_t>{1, 2, 3, 4, 5, 3}));
}

TEST(MendedSketch, OfTwoThreadsToldToAgeOneDoes) {
  const auto sketch = sketch_of({.capacity = 100'000, .decay = std::make_shared<GateDecay>(9)});
  touch_times(*sketch, kA, 8);
  const auto others = random_keys(2);

  in_threads(2, [&](int thread) { sketch->touch(others[static_cast<std::size_t>(thread)]); });

  EXPECT_EQ(sketch->count(kA), 4u);
}

/// Part of 183,000 keys, each touched once, that read more than 1. As many as the conversation trace has.
double overestimated(FrequencyTrackingCapacity capacity, SketchIndexing indexing) {
  const auto keys = random_keys(183'000);
  const auto sketch =
      sketch_of({.capacity = size(capacity), .decay = std::make_shared<NeverDecay>(), .indexing = indexing});
  sketch->touch(keys);
  const auto wrong = std::count_if(keys.begin(), keys.end(), [&](const auto& key) { return sketch->count(key) > 1; });
  return static_cast<double>(wrong) / static_cast<double>(keys.size());
}

TEST(MendedSketch, HardlyEverOverestimatesWithinItsCapacity) {
  EXPECT_LT(overestimated(FrequencyTrackingCapacity::Medium, SketchIndexing::Mended), 0.002);  // measured: 0.0012
  EXPECT_LT(overestimated(FrequencyTrackingCapacity::Small, SketchIndexing::Mended), 0.06);    // measured: 0.045
}

TEST(RecordedSketch, KeepsTheRecordedFlawOfTablesOfAPowerOfTwo) {  // logical.md 12.6
  EXPECT_GT(overestimated(FrequencyTrackingCapacity::Small, SketchIndexing::Recorded), 0.99);
}

TEST(MendedSketch, NeverUnderestimatesBeforeAging) {
  const auto keys = random_keys(2000);
  const auto sketch = sketch_of({.capacity = 1000, .decay = std::make_shared<NeverDecay>()});

  for (std::size_t i = 0; i < keys.size(); ++i) touch_times(*sketch, keys[i], static_cast<int>(i % 7));

  for (std::size_t i = 0; i < keys.size(); ++i) ASSERT_GE(sketch->count(keys[i]), i % 7);
}

TEST(MendedSketch, TellsSmallNumbersApart) {
  const auto sketch = sketch_of({.capacity = size(FrequencyTrackingCapacity::Medium)});

  for (std::uint64_t key = 0; key < 100'000; ++key) sketch->touch_number(key);

  int wrong = 0;
  for (std::uint64_t key = 100'000; key < 200'000; ++key) wrong += sketch->count_number(key) != 0 ? 1 : 0;
  EXPECT_LT(wrong, 100);
}

TEST(MendedSketch, AddsToTheSizeOncePerSixtyFourKeys) {
  const auto decay = std::make_shared<ArmedDecay>();
  const auto sketch = sketch_of({.capacity = size(FrequencyTrackingCapacity::Medium), .decay = decay});

  sketch->touch(random_keys(200));

  EXPECT_EQ(decay->sizes(), (std::vector<std::uint64_t>{64, 128, 192, 200}));
}

}  // namespace
}  // namespace kvbm
