#include "kvbm/registry/frequency_sketch.hpp"

#include <algorithm>
#include <atomic>
#include <bit>
#include <limits>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "src/host/base/xxh3_inline.hpp"
#include "src/host/base/zeroed_array.hpp"

namespace kvbm {
namespace {

constexpr std::uint64_t kLowBits = 0x1111'1111'1111'1111;  // the lowest bit of each 4-bit counter

std::size_t word_count(std::size_t capacity) noexcept { return std::max<std::size_t>(1, capacity / 4); }

/// One sketch without the wish for speed: word and counter index come from the same bits of a hash, so that a table of
/// 2^n words uses one counter of each. That is what the recorded estimates show.
class RecordedSketch final : public FrequencySketch {
 public:
  RecordedSketch(std::size_t capacity, std::shared_ptr<const DecayPolicy> decay)
      : words_(word_count(capacity)), decay_(std::move(decay)) {}

  void touch(std::span<const SequenceHash> keys) noexcept override {
    const MutexLock lock(mutex_);
    for (const SequenceHash& key : keys) increment(recorded_sketch_hashes(key));
  }
  void touch_number(std::uint64_t key) noexcept override {
    const MutexLock lock(mutex_);
    increment(recorded_sketch_hashes(key));
  }
  [[nodiscard]] std::uint32_t count(SequenceHash key) const noexcept override {
    return estimate(recorded_sketch_hashes(key));
  }
  [[nodiscard]] std::uint32_t count_number(std::uint64_t key) const noexcept override {
    return estimate(recorded_sketch_hashes(key));
  }

 private:
  using Hashes = std::array<std::uint64_t, 4>;

  static unsigned shift_of(std::uint64_t hash) noexcept { return 4 * static_cast<unsigned>(hash & 15); }

  void increment(const Hashes& hashes) noexcept KVBM_REQUIRES(mutex_) {
    bool grown = false;
    for (const std::uint64_t hash : hashes) {
      std::uint64_t& word = words_[hash % words_.size()];
      if ((word >> shift_of(hash) & 15) == 15) continue;
      word += std::uint64_t{1} << shift_of(hash);
      grown = true;
    }
    if (grown && decay_->should_decay(++size_)) halve();
  }

  void halve() noexcept KVBM_REQUIRES(mutex_) {
    std::uint64_t odd = 0;
    for (std::uint64_t& word : words_) {
      odd += static_cast<std::uint64_t>(std::popcount(word & kLowBits));
      word = word >> 1 & 7 * kLowBits;
    }
    size_ = size_ / 2 - std::min(size_ / 2, odd / 4);
  }

  std::uint32_t estimate(const Hashes& hashes) const noexcept {
    const MutexLock lock(mutex_);
    std::uint64_t least = 15;
    for (const std::uint64_t hash : hashes) {
      least = std::min(least, words_[hash % words_.size()] >> shift_of(hash) & 15);
    }
    return static_cast<std::uint32_t>(least);
  }

  mutable Mutex mutex_;
  std::vector<std::uint64_t> words_ KVBM_GUARDED_BY(mutex_);
  std::uint64_t size_ KVBM_GUARDED_BY(mutex_) = 0;
  const std::shared_ptr<const DecayPolicy> decay_;
};

// A word of the mended sketch: fourteen 4-bit counters below, above them the low bits of the epoch in which they were
// last brought up to date. All counters of a key and the epoch change in one compare-and-swap, so that no race can
// halve twice.
constexpr std::size_t kWordsPerRecorded = 2;  // words for one of the recorded sketch
constexpr unsigned kHalfCounters = 7;
constexpr unsigned kHalfShift = 4 * kHalfCounters;
constexpr unsigned kTagShift = 2 * kHalfShift;
constexpr std::uint64_t kCounterMask = (std::uint64_t{1} << kTagShift) - 1;
constexpr unsigned kAheadFrom = 0xF8;  // a word "248 epochs or more behind" was brought ahead by another thread

/// `word` as it stands in `epoch`. A word that nobody touched for 248 epochs shows its old counts again for a while: an
/// estimate too high, by 15 at most, for keys whose word slept that long.
[[gnu::cold]] std::uint64_t aged(std::uint64_t word, std::uint32_t epoch) noexcept {
  const unsigned behind = (epoch - static_cast<unsigned>(word >> kTagShift)) & 0xFF;
  if (behind == 0 || behind >= kAheadFrom) return word;
  const std::uint64_t tag = static_cast<std::uint64_t>(epoch & 0xFF) << kTagShift;
  if (behind >= 4) return tag;
  return tag | ((word & kCounterMask) >> behind & (0xFu >> behind) * (kLowBits & kCounterMask));
}

/// Of the counters marked in `ones` by their lowest bit, those below 15.
std::uint64_t not_full(std::uint64_t word, std::uint64_t ones) noexcept {
  const std::uint64_t pairs = word & word >> 1;
  return ones & ~(pairs & pairs >> 2);
}

/// Two different counters of half a word: both marked by their lowest bits, and how far up they are.
struct Pair {
  std::uint32_t ones;
  std::uint8_t first, second;
};
/// The 21 pairs that there are, for 64 numbers.
constexpr std::array<Pair, 64> kPairs = [] {
  std::array<Pair, kHalfCounters*(kHalfCounters - 1) / 2> all{};
  std::size_t count = 0;
  for (unsigned first = 0; first < kHalfShift; first += 4) {
    for (unsigned second = 0; second < first; second += 4) {
      all[count++] = {1u << first | 1u << second, static_cast<std::uint8_t>(first), static_cast<std::uint8_t>(second)};
    }
  }
  std::array<Pair, 64> pairs{};
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i] = all[i * count >> 6];
  return pairs;
}();

/// Both halves count: the top bits of a sequence hash are mode and position, the rest is XXH3 output already.
std::uint64_t mix(std::uint64_t high, std::uint64_t low) noexcept {
  using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(high ^ 0x9E37'79B9'7F4A'7C15u) * (low ^ 0xD1B5'4A32'D192'ED03u);
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

/// The sketch for use. Touching and reading bring only the word at hand up to date, so that aging is an increment of
/// the epoch, however large the table.
class MendedSketch final : public FrequencySketch {
 public:
  MendedSketch(std::size_t capacity, std::shared_ptr<const DecayPolicy> decay)
      : word_count_(kWordsPerRecorded * word_count(capacity)), words_(word_count_), decay_(std::move(decay)) {}

  void touch(std::span<const SequenceHash> keys) noexcept override {
    if (keys.size() == 1) return touch_mixed(mix(keys[0].high(), keys[0].low()));
    while (!keys.empty()) {
      const std::size_t count = std::min(keys.size(), kChunk);
      std::array<std::uint64_t, kChunk> mixed;
      for (std::size_t i = 0; i < count; ++i) {
        mixed[i] = mix(keys[i].high(), keys[i].low());
        __builtin_prefetch(&word_of(mixed[i]), 1);
      }
      touch_mixed(std::span(mixed).first(count));
      keys = keys.subspan(count);
    }
  }
  void touch_number(std::uint64_t key) noexcept override { touch_mixed(mix(0, key)); }
  [[nodiscard]] std::uint32_t count(SequenceHash key) const noexcept override {
    return estimate(mix(key.high(), key.low()));
  }
  [[nodiscard]] std::uint32_t count_number(std::uint64_t key) const noexcept override { return estimate(mix(0, key)); }

 private:
  static constexpr std::size_t kChunk = 64;  // keys per addition to the shared size

  // The word comes from the top bits, the counters within it from the low 12.
  [[nodiscard]] std::uint64_t& word_of(std::uint64_t mixed) const noexcept {
    return words_[static_cast<std::size_t>(static_cast<unsigned __int128>(mixed) * word_count_ >> 64)];
  }
  [[nodiscard]] static const Pair& lower_pair(std::uint64_t mixed) noexcept { return kPairs[mixed & 63]; }
  [[nodiscard]] static const Pair& upper_pair(std::uint64_t mixed) noexcept { return kPairs[mixed >> 6 & 63]; }

  void touch_mixed(std::uint64_t mixed) noexcept {
    if (grow(mixed, epoch_.load(std::memory_order_relaxed))) add_to_size(1);
  }
  void touch_mixed(std::span<const std::uint64_t> keys) noexcept {
    const std::uint32_t epoch = epoch_.load(std::memory_order_relaxed);  // relaxed: one epoch off is an estimate off
    std::uint64_t grown = 0;
    for (const std::uint64_t mixed : keys) grown += grow(mixed, epoch) ? 1 : 0;
    if (grown != 0) add_to_size(grown);
  }

  [[nodiscard]] static bool is_current(std::uint64_t word, std::uint32_t epoch) noexcept {
    return word >> kTagShift == (epoch & 0xFF);
  }

  // relaxed throughout: each word is complete in itself
  bool grow(std::uint64_t mixed, std::uint32_t epoch) noexcept {
    const std::uint64_t upper = upper_pair(mixed).ones;
    const std::uint64_t ones = upper << kHalfShift | lower_pair(mixed).ones;
    const std::atomic_ref<std::uint64_t> shared(word_of(mixed));
    std::uint64_t seen = shared.load(std::memory_order_relaxed);
    for (;;) {
      const std::uint64_t now = is_current(seen, epoch) ? seen : aged(seen, epoch);
      const bool some_high = (now & ones << 3) != 0;  // 8 or more: perhaps full
      const std::uint64_t added = some_high ? not_full(now, ones) : ones;
      if (now + added == seen) return false;
      if (shared.compare_exchange_weak(seen, now + added, std::memory_order_relaxed)) return added != 0;
    }
  }

  // Asks the policy once; of several threads that were told to age, one does.
  void add_to_size(std::uint64_t grown) noexcept {
    // relaxed: sizes order nothing but themselves
    const std::uint64_t reached = size_.fetch_add(grown, std::memory_order_relaxed) + grown;
    if (!decay_->should_decay(reached)) return;
    std::uint64_t size = reached;
    while (!size_.compare_exchange_strong(size, size / 2, std::memory_order_relaxed)) {
      if (size < reached) return;
    }
    epoch_.fetch_add(1, std::memory_order_relaxed);
  }

  [[nodiscard]] std::uint32_t estimate(std::uint64_t mixed) const noexcept {
    const std::uint32_t epoch = epoch_.load(std::memory_order_relaxed);
    std::uint64_t now = std::atomic_ref(word_of(mixed)).load(std::memory_order_relaxed);
    if (!is_current(now, epoch)) now = aged(now, epoch);
    const std::uint64_t lower = lesser(now, lower_pair(mixed));
    return static_cast<std::uint32_t>(std::min(lower, lesser(now >> kHalfShift, upper_pair(mixed))));
  }
  [[nodiscard]] static std::uint64_t lesser(std::uint64_t half, const Pair& pair) noexcept {
    return std::min(half >> pair.first & 15, half >> pair.second & 15);
  }

  const std::size_t word_count_;
  const ZeroedArray<std::uint64_t> words_;
  const std::shared_ptr<const DecayPolicy> decay_;
  std::atomic<std::uint32_t> epoch_{0};             // read by every touch, written at an aging
  alignas(64) std::atomic<std::uint64_t> size_{0};  // written by every chunk of touches
};

constexpr std::size_t kSecretBytes = XXH_SECRET_DEFAULT_SIZE;
using Secrets = std::array<std::array<unsigned char, kSecretBytes>, 4>;

const Secrets& secrets() noexcept {
  static const Secrets kSecrets = [] {
    Secrets made;
    for (std::size_t seed = 0; seed < made.size(); ++seed) XXH3_generateSecret_fromSeed(made[seed].data(), seed);
    return made;
  }();
  return kSecrets;
}

std::array<std::uint64_t, 4> hash_bytes(const void* bytes, std::size_t size) noexcept {
  const Secrets& all = secrets();
  std::array<std::uint64_t, 4> hashes;
  for (std::size_t i = 0; i < all.size(); ++i) {
    hashes[i] = XXH3_64bits_withSecret(bytes, size, all[i].data(), kSecretBytes);
  }
  return hashes;
}

}  // namespace

FixedDecayPolicy FixedDecayPolicy::from_capacity(std::size_t capacity) noexcept {
  constexpr std::uint64_t kSampleMax = std::numeric_limits<std::uint32_t>::max();
  return FixedDecayPolicy(capacity > kSampleMax / 10 ? kSampleMax : std::uint64_t{capacity} * 10);
}

Result<std::shared_ptr<FrequencySketch>, FrequencySketchError> make_frequency_sketch(
    const FrequencySketchOptions& options) {
  if (!options.capacity) return fail(FrequencySketchError{"a frequency sketch needs a capacity"});
  const std::size_t capacity = *options.capacity;
  auto decay = options.decay ? options.decay
                             : std::make_shared<const FixedDecayPolicy>(FixedDecayPolicy::from_capacity(capacity));
  std::shared_ptr<FrequencySketch> sketch;
  if (options.indexing == SketchIndexing::Recorded) {
    sketch = std::make_shared<RecordedSketch>(capacity, std::move(decay));
  } else {
    sketch = std::make_shared<MendedSketch>(capacity, std::move(decay));
  }
  return sketch;
}

Result<std::shared_ptr<FrequencyTracker>, FrequencySketchError> make_frequency_tracker(
    const FrequencySketchOptions& options) {
  auto sketch = make_frequency_sketch(options);
  if (!sketch) return fail(std::move(sketch).error());
  return std::shared_ptr<FrequencyTracker>(*std::move(sketch));
}

std::shared_ptr<FrequencyTracker> make_frequency_tracker(FrequencyTrackingCapacity capacity) {
  return *make_frequency_tracker(FrequencySketchOptions{.capacity = size(capacity)});
}

std::array<std::uint64_t, 4> recorded_sketch_hashes(SequenceHash key) noexcept {
  const std::uint64_t bytes[2] = {key.low(), key.high()};
  return hash_bytes(bytes, sizeof(bytes));
}

std::array<std::uint64_t, 4> recorded_sketch_hashes(std::uint64_t key) noexcept {
  return hash_bytes(&key, sizeof(key));
}

}  // namespace kvbm
