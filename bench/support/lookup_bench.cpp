#include "bench/support/lookup_bench.hpp"

#include <fmt/format.h>

#include <cstring>
#include <functional>
#include <thread>

#include "bench/support/lookup_world.hpp"
#include "bench/support/table.hpp"
#include "kernels/prefix_match.cuh"
#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "src/host/lookup/device_table.hpp"
#include "src/host/lookup/host_match.hpp"
#include "src/host/lookup/lookup_lane.hpp"

namespace kvbm::bench {
namespace {

std::uint64_t same(std::uint64_t key) noexcept { return key; }

std::vector<std::uint32_t> even(std::size_t requests, std::uint32_t length) {
  return std::vector<std::uint32_t>(requests, length);
}

/// The cases, one after the other, and their rows.
class Cases {
 public:
  Cases(const LookupBenchOptions& options, std::shared_ptr<Device> device)
      : options_(options), device_(std::move(device)), world_(options.keys, options.load) {}

  std::string run(const std::string& reason) {
    run_on_host();
    if (device_ != nullptr) {
      table_.add_rule();
      run_on_device();
    }
    std::string text = fmt::format("{} keys at load {:.2f}, host with {} threads, ", options_.keys,
                                   world_.planner.load(), options_.threads);
    text += device_ != nullptr ? fmt::format("device {}\n\n", device_->capabilities().name)
                               : fmt::format("no device: {}\n\n", reason);
    return text + table_.text();
  }

 private:
  void add(const std::string& name, double value, const char* unit, const std::string& reference, double ratio,
           double spread) {
    table_.add_row({name, fmt::format("{:.2f}", value), unit, reference, fmt::format("{:.2f}", ratio),
                    fmt::format("{:.0f} %", 100 * spread)});
  }
  static double millions(const Questions& questions, const Sampled& sampled) {
    return static_cast<double>(questions.keys.size()) / sampled.seconds / 1e6;
  }

  Sampled host(Questions& questions, unsigned threads, const std::string& what) {
    const LookupBatch batch = questions.batch(world_);
    const Sampled sampled = sample(options_.samples, [&] {
      const std::uint32_t share = (batch.requests + threads - 1) / threads;
      std::vector<std::jthread> others;
      for (std::uint32_t first = share; first < batch.requests; first += share) {
        others.emplace_back([&, first] { match_on_host(batch, first, std::min(first + share, batch.requests), same); });
      }
      match_on_host(batch, 0, std::min(share, batch.requests), same);
    });
    questions.verify(world_, what);
    return sampled;
  }
  Sampled plain(Questions& questions) {
    const kernels::MatchOneRequest<LookupBatch> match{questions.batch(world_)};
    const Sampled sampled = sample(options_.samples, [&] {
      for (std::uint32_t request = 0; request < match.batch.requests; ++request) match(request);
    });
    questions.verify(world_, "plain loop");
    return sampled;
  }

  void run_on_host() {
    Questions hits(world_, even(1000, 512), true);
    const Sampled base = plain(hits);
    hits.poison();
    const Sampled one = host(hits, 1, "host, all hit");
    add("host, all hit, 1000 x 512", millions(hits, one), "M keys/s", "loop without prefetch",
        base.seconds / one.seconds, one.spread);
    hits.poison();
    const Sampled all = host(hits, options_.threads, "host, all threads");
    add("host, all hit, all threads", millions(hits, all), "M keys/s", "one thread", one.seconds / all.seconds,
        all.spread);
    Questions misses(world_, even(1000, 512), false);
    const Sampled missed = host(misses, 1, "host, all miss");
    add("host, all miss, 1000 x 512", missed.seconds * 1e6, "us", "all hit, time", missed.seconds / one.seconds,
        missed.spread);
    Questions small(world_, even(10'000, 64), true);
    const Sampled spread_evenly = host(small, options_.threads, "host, even");
    std::vector<std::uint32_t> lengths = even(10'000 - 32, 64);
    lengths.push_back(2048);
    Questions skewed(world_, lengths, true);
    const Sampled with_long = host(skewed, options_.threads, "host, one long request");
    add("host, one of 2048 among 10k of 64", with_long.seconds * 1e6, "us", "evenly spread, time",
        with_long.seconds / spread_evenly.seconds, with_long.spread);
    plan();
  }

  /// Removes and adds known keys: what following a log costs beside reading it.
  void plan() {
    constexpr std::uint64_t kChanges = 32'768;
    std::uint64_t next = 0;
    const Sampled sampled = sample(options_.samples, [&] {
      for (std::uint64_t i = 0; i < kChanges; ++i, next = (next + 7919) % world_.known) {
        static_cast<void>(world_.planner.remove(LookupWorld::key(next), LookupWorld::hint(next)));
        world_.planner.add(LookupWorld::key(next), LookupWorld::hint(next));
      }
      static_cast<void>(world_.planner.commit());
    });
    add("plan 64k changes", sampled.seconds / (2 * kChanges) * 1e9, "ns/change", "-", 1, sampled.spread);
  }

  // On a device. Everything is enqueued on one stream and waited for, so times are of the wall.

  template <class Work>
  Sampled on_stream(Work&& work) {
    return sample(options_.samples, [&] {
      work();
      device_->synchronize(stream_->view());
    });
  }

  /// A batch that lies on the device, looked up in place.
  Sampled resident(Questions& questions, const std::string& what) {
    const std::size_t key_bytes = questions.keys.size() * 8, prefix_bytes = questions.prefixes.size() * 4;
    const std::size_t offset_bytes = questions.offsets.size() * 4;
    const Memory pinned = allocate_pinned(device_, key_bytes + offset_bytes + prefix_bytes);
    const Memory keys = allocate_device(device_, key_bytes), hints = allocate_device(device_, key_bytes);
    const Memory offsets = allocate_device(device_, offset_bytes), prefixes = allocate_device(device_, prefix_bytes);
    std::memcpy(pinned.address(), questions.keys.data(), key_bytes);
    std::memcpy(pinned.address() + key_bytes, questions.offsets.data(), offset_bytes);
    device_->copy(keys.address(), pinned.address(), key_bytes, stream_->view());
    device_->copy(offsets.address(), pinned.address() + key_bytes, offset_bytes, stream_->view());
    LookupBatch batch = questions.batch(world_);
    batch.table = view();
    batch.keys = reinterpret_cast<const std::uint64_t*>(keys.address());
    batch.offsets = reinterpret_cast<const std::uint32_t*>(offsets.address());
    batch.hints = reinterpret_cast<BlockHint*>(hints.address());
    batch.prefixes = reinterpret_cast<std::uint32_t*>(prefixes.address());
    const Sampled sampled = on_stream([&] {
      device_->fill(prefixes.address(), 0xFF, prefix_bytes, stream_->view());
      device_->launch(kernels::prefix_match(batch), stream_->view());
    });
    device_->copy(pinned.address(), hints.address(), key_bytes, stream_->view());
    device_->copy(pinned.address() + key_bytes + offset_bytes, prefixes.address(), prefix_bytes, stream_->view());
    device_->synchronize(stream_->view());
    std::memcpy(questions.hints.data(), pinned.address(), key_bytes);
    std::memcpy(questions.prefixes.data(), pinned.address() + key_bytes + offset_bytes, prefix_bytes);
    questions.verify(world_, what);
    return sampled;
  }

  [[nodiscard]] kernels::PrefixTableView<kernels::FingerprintSlot> view() const {
    return kernels::PrefixTableView<kernels::FingerprintSlot>::over(
        reinterpret_cast<const kernels::FingerprintSlot*>(copy_->words()), copy_->size());
  }

  void run_on_device() {
    stream_.emplace(device_, StreamPriority::Normal, "kvbm.bench");
    copy_.emplace(device_);
    copy_->apply({0, true, {}, {}}, world_.planner.table()->words());
    device_->synchronize(copy_->changed());
    Questions hits(world_, even(1000, 512), true);
    const Sampled hit = resident(hits, "device, all hit");
    add("L1 device, all hit, on the device", millions(hits, hit), "M keys/s", "-", 1, hit.spread);
    Questions misses(world_, even(1000, 512), false);
    const Sampled missed = resident(misses, "device, all miss");
    add("L4 device, all miss", missed.seconds * 1e6, "us", "all hit, time", missed.seconds / hit.seconds,
        missed.spread);
    Questions small(world_, even(10'000, 64), true);
    const Sampled spread_evenly = resident(small, "device, even");
    std::vector<std::uint32_t> lengths = even(10'000 - 32, 64);
    lengths.push_back(2048);
    Questions skewed(world_, lengths, true);
    const Sampled with_long = resident(skewed, "device, one long request");
    add("L5 device, one of 2048 among 10k", with_long.seconds * 1e6, "us", "evenly spread, time",
        with_long.seconds / spread_evenly.seconds, with_long.spread);
    update();
    across();
  }

  /// L6: the words of 64k changes on their way, against one copy of as many bytes.
  void update() {
    constexpr std::uint32_t kWords = 65'536;
    const std::size_t bytes = kWords * (sizeof(kernels::TableWord) + sizeof(std::uint32_t));
    const auto words = world_.planner.table()->words();
    std::vector<std::uint32_t> places;
    for (std::uint32_t i = 0; i < std::min<std::size_t>(kWords, words.size() - 4); ++i) places.push_back(4 + i);
    const TableChanges changes{1, false, places, words.subspan(4, places.size())};
    const Sampled applied = sample(options_.samples, [&] {
      copy_->apply(changes, words);
      device_->synchronize(copy_->changed());
    });
    add("L6 apply 64k changed words", applied.seconds * 1e6, "us", "memcpy of their bytes, time",
        applied.seconds / copy_seconds(bytes), applied.spread);
  }

  double copy_seconds(std::size_t bytes) {
    const Memory pinned = allocate_pinned(device_, bytes);
    const Memory target = allocate_device(device_, bytes);
    return on_stream([&] { device_->copy(target.address(), pinned.address(), bytes, stream_->view()); }).seconds;
  }

  /// L3 and L7: questions and answers on the host, and from which size on the device is faster than all threads.
  void across() {
    LookupLane lane(device_, 1u << 20);
    std::uint32_t crossover = 0;
    for (std::uint32_t requests = 1; requests <= 2000; requests *= 4) {
      Questions questions(world_, even(requests, 512), true);
      const Sampled there = there_and_back(lane, questions);
      const Sampled here = host(questions, options_.threads, "host, crossover");
      if (crossover == 0 && there.seconds < here.seconds) crossover = requests * 512;
      const double bytes = static_cast<double>(questions.keys.size() * 16 + requests * 8);
      add(fmt::format("L3 host to host, {} x 512", requests), there.seconds * 1e6, "us", "memcpy of what crosses, time",
          there.seconds / copy_seconds(static_cast<std::size_t>(bytes)), there.spread);
      add(fmt::format("L7 the same, {} x 512", requests), millions(questions, there), "M keys/s", "host, all threads",
          here.seconds / there.seconds, there.spread);
    }
    add("L7 crossover", crossover, "keys", "host, all threads", 1, 0);
  }

  Sampled there_and_back(LookupLane& lane, Questions& questions) {
    PrefixAnswers answers;
    const auto run = [&] {
      answers.prefixes.assign(questions.requests(), 0);
      answers.hints.resize(questions.keys.size());
      const LookupPiece piece = lane.piece_at(questions.offsets, {});
      const bool small = questions.keys.size() <= 4096;
      lane.begin(view(), copy_->changed(), questions.offsets, piece, small,
                 [&](std::size_t i) { return questions.keys[i]; });
      lane.finish(questions.offsets, answers);
    };
    const Sampled sampled = sample(options_.samples, run);
    questions.prefixes = answers.prefixes;
    questions.hints = answers.hints;
    questions.verify(world_, "host to host");
    return sampled;
  }

  const LookupBenchOptions options_;
  const std::shared_ptr<Device> device_;
  LookupWorld world_;
  std::optional<Stream> stream_;
  std::optional<DeviceTable> copy_;
  Table table_{{"case", "value", "unit", "reference", "ratio", "spread"}};
};

}  // namespace

std::string lookup_table(const LookupBenchOptions& options, const std::shared_ptr<Device>& device,
                         const std::string& reason) {
  return Cases(options, device).run(reason);
}

}  // namespace kvbm::bench
