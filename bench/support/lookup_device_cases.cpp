#include <fmt/format.h>

#include <atomic>
#include <optional>
#include <thread>

#include "bench/support/lookup_cases.hpp"
#include "bench/support/lookup_crossing.hpp"
#include "bench/support/lookup_resident.hpp"
#include "kvbm/memory/pinned_memory.hpp"
#include "src/host/lookup/device_table.hpp"

namespace kvbm::bench {
namespace {

using kernels::ExactSlot;
using kernels::FingerprintSlot;

constexpr std::uint32_t kLength = 512;
constexpr std::uint64_t kLarge = 4'000'000;  // keys: from here on a table is much larger than a cache

/// A table to compare with, filled on the device.
template <class Slot>
struct LinearMemory {
  Memory memory;
  LinearTable<Slot> table;

  LinearMemory(const DeviceBench& bench, std::uint64_t known)
      : memory(bench.allocate_zeroed(known * LinearTable<Slot>::kSlotsPerKey * sizeof(Slot))),
        table{reinterpret_cast<Slot*>(memory.address()), known * LinearTable<Slot>::kSlotsPerKey} {
    bench.launch(linear_fill(LinearFill<Slot>{table, known}));
    bench.wait();
  }
};

/// The cases of one table on a device, one after the other.
class DeviceCases {
 public:
  DeviceCases(const LookupCases& cases, const std::shared_ptr<Device>& device)
      : cases_(cases), bench_(device), copy_(device) {
    copy_.apply({0, true, {}, {}}, cases_.world.planner.table()->words());
    device->synchronize(copy_.changed());
  }

  void run() {
    Questions hits(cases_.world, cases_.options.requests, kLength, Known::All);
    const Resident<std::uint64_t> resident(bench_, hits, view());
    all_hit(resident);
    Questions fewer(cases_.world, std::min(1000u, cases_.options.requests), kLength, Known::All);
    some_hit(Resident<std::uint64_t>(bench_, fewer, view()));
    whole_hashes(hits);
    half_hit();
    all_miss();
    count_only(hits);
    one_long();
    apply_changes();
    while_changing(resident);
    against_host(hits);
    time_crossing(cases_, bench_, view(), copy_.changed());
  }

 private:
  [[nodiscard]] kernels::PrefixTableView<FingerprintSlot> view() const {
    return kernels::PrefixTableView<FingerprintSlot>::over(reinterpret_cast<const FingerprintSlot*>(copy_.words()),
                                                           copy_.size());
  }
  [[nodiscard]] Contender launches(std::function<void()> enqueue) const {
    return bench_.repeated(cases_.options.launches, std::move(enqueue));
  }
  [[nodiscard]] std::vector<Sampled> in_turn(const std::vector<Contender>& contenders) const {
    return sample_in_turn(cases_.options.samples, contenders);
  }

  /// The gather, in one shape of launch.
  [[nodiscard]] static GatherUnits gather(const Resident<std::uint64_t>& resident, const Memory& out, bool own_shape) {
    return {.keys = resident.keys(),
            .table = resident.batch().table,
            .out = reinterpret_cast<std::uint64_t*>(out.address()),
            .count = resident.questions().blocks(),
            .block_threads = own_shape ? 256u : 128u,
            .resident_blocks = own_shape ? 8u : 7u};
  }
  void verify_gather(const Resident<std::uint64_t>& resident, const Memory& out) const {
    std::vector<std::uint64_t> found(resident.questions().blocks());
    bench_.read<std::uint64_t>(found, out);
    const auto table = cases_.world.planner.view();
    for (std::size_t i = 0; i < found.size(); i += 61) {
      std::uint64_t all = 0;
      const FingerprintSlot* unit = table.unit(table.home(resident.questions().keys[i]));
      for (unsigned slot = 0; slot < table.kUnitSlots; ++slot) all ^= unit[slot].key ^ unit[slot].value;
      if (found[i] != all) throw std::logic_error("gather: a wrong answer for key " + std::to_string(i));
    }
  }

  void add_rate(const std::string& id, const std::string& name, const Questions& questions, const Sampled& sampled,
                const std::string& reference, const Sampled& of, std::optional<LookupGoal> goal) {
    cases_.rows.add({id, name, millions_per_second(questions, sampled) / 1e3, "G keys/s", reference,
                     of.seconds / sampled.seconds, goal, sampled.spread});
  }
  void add_time(const std::string& id, const std::string& name, const Sampled& sampled, const std::string& reference,
                double of_seconds, std::optional<LookupGoal> goal) {
    cases_.rows.add({id, name, sampled.seconds * 1e6, "us", reference,
                     of_seconds == 0 ? 0 : sampled.seconds / of_seconds, goal, sampled.spread});
  }

  /// L1, and the flat find of L2: every key is there, so that both answer all of them.
  void all_hit(const Resident<std::uint64_t>& resident) {
    const Questions& questions = resident.questions();
    const LinearMemory<FingerprintSlot> linear(bench_, cases_.world.known);
    const Memory out = bench_.allocate(std::size_t{questions.blocks()} * sizeof(std::uint64_t));
    bench_.fill(out, 0xA5);
    const LinearFind<FingerprintSlot> find{linear.table, resident.keys(), resident.hints(), questions.blocks()};
    const std::vector<Sampled> times =
        in_turn({launches([&] { bench_.launch(gather_units(gather(resident, out, false))); }),
                 launches([&] { bench_.launch(gather_units(gather(resident, out, true))); }),
                 launches([&] { bench_.launch(linear_find(find)); }), launches([&] { resident.ask(); })});
    resident.verify("L1");
    resident.ask();  // for the prefixes, which a flat find has none of
    bench_.launch(linear_find(find));
    resident.verify("L2, flat find");
    verify_gather(resident, out);
    hit_ = times[3];
    const bool large = cases_.world.known >= kLarge;
    const double load = cases_.world.planner.load();
    const LookupGoal goal = at_least(!large ? 0.70 : load < 0.75 ? 0.80 : 0.75);
    const Sampled& ceiling = times[0].seconds < times[1].seconds ? times[0] : times[1];
    const std::string shape = fmt::format("{} x {}", questions.requests(), kLength);
    add_rate("G", "gather of 64 bytes, the kernel's shape", questions, times[0], "-", times[0], {});
    add_rate("G", "gather of 64 bytes, 2048 threads resident", questions, times[1], "the kernel's shape", times[0], {});
    add_rate("L1", "all hit, " + shape, questions, times[3], "gather, the faster", ceiling, goal);
    add_rate("L2", "flat find of 8-byte keys", questions, times[3], "linear probing, load 0.5", times[2],
             at_least(1.0));
  }

  /// L1 where a batch is no more than the GPU has room for.
  void some_hit(const Resident<std::uint64_t>& resident) {
    const Questions& questions = resident.questions();
    const Memory out = bench_.allocate(std::size_t{questions.blocks()} * sizeof(std::uint64_t));
    const std::vector<Sampled> times =
        in_turn({launches([&] { bench_.launch(gather_units(gather(resident, out, true))); }),
                 launches([&] { resident.ask(); })});
    resident.verify("L1, fewer requests");
    const std::string shape = fmt::format("{} x {}", questions.requests(), kLength);
    add_rate("L1", "all hit, " + shape, questions, times[1], "gather of as many", times[0], {});
  }

  /// L2: the questions are whole hashes, of which the kernel makes fingerprints.
  void whole_hashes(Questions& hits) {
    const Resident<SequenceHash> resident(bench_, hits, view());
    const LinearMemory<ExactSlot> linear(bench_, cases_.world.known);
    const LinearFind<ExactSlot> find{linear.table, resident.keys(), resident.hints(), hits.blocks()};
    const std::vector<Sampled> times =
        in_turn({launches([&] { bench_.launch(linear_find(find)); }), launches([&] { resident.ask(); })});
    resident.verify("L2, whole hashes");
    resident.ask();
    bench_.launch(linear_find(find));
    resident.verify("L2, flat find of whole hashes");
    add_rate("L2", "find of 16-byte keys", hits, times[1], "linear probing, 32-byte slots, load 0.5", times[0],
             at_least(1.5));
  }

  /// L2: find everything, then reduce, as one would with a hash table that knows no prefixes.
  void half_hit() {
    Questions questions(cases_.world, cases_.options.requests, kLength, Known::Half);
    const Resident<std::uint64_t> resident(bench_, questions, view());
    const LinearMemory<FingerprintSlot> linear(bench_, cases_.world.known);
    const Memory misses = bench_.allocate(std::size_t{questions.blocks()} * sizeof(std::uint32_t));
    const Memory scratch = bench_.allocate(scratch_bytes(questions.requests()));
    const LinearFind<FingerprintSlot> find{linear.table,
                                           resident.keys(),
                                           resident.hints(),
                                           questions.blocks(),
                                           reinterpret_cast<std::uint32_t*>(misses.address()),
                                           resident.offsets(),
                                           questions.requests(),
                                           resident.prefixes(),
                                           scratch.address(),
                                           scratch.bytes()};
    const std::vector<Sampled> times =
        in_turn({launches([&] { bench_.launch(linear_find(find)); }), launches([&] { resident.ask(); })});
    resident.verify("L2, half hit");
    bench_.launch(linear_find(find));
    resident.verify("L2, find and reduce");
    add_time("L2", "linear find and segmented reduction", times[0], "-", 0, {});
    add_rate("L2", "prefixes, half of the blocks hit", questions, times[1], "find and reduction", times[0],
             at_least(2.0));
  }
  [[nodiscard]] std::size_t scratch_bytes(std::uint32_t requests) const {
    return bench_.device()->capabilities().emulated ? 1 : linear_scratch_bytes(requests);
  }

  void all_miss() {
    Questions questions(cases_.world, cases_.options.requests, kLength, Known::None);
    const Resident<std::uint64_t> resident(bench_, questions, view());
    const std::vector<Sampled> times = in_turn({launches([&] { resident.ask(); })});
    resident.verify("L4, all miss");
    add_time("L4", "all miss", times[0], "all hit, time", hit_.seconds, at_most(0.15));
  }

  /// The table says that every block's parent is there, and in these questions it is.
  void count_only(Questions& hits) {
    Questions half(cases_.world, cases_.options.requests, kLength, Known::Half);
    const Resident<std::uint64_t> all(bench_, hits, view()), part(bench_, half, view());
    const std::vector<Sampled> times = in_turn({launches([&] { all.count(); }), launches([&] { part.count(); })});
    all.verify_count("L4, count, all hit");
    part.verify_count("L4, count, half hit");
    add_time("L4", "count only, all hit", times[0], "all hit, time", hit_.seconds, at_most(0.10));
    add_time("L4", "count only, half of the blocks hit", times[1], "all hit, time", hit_.seconds, at_most(0.10));
  }

  void one_long() {
    const auto even = static_cast<std::uint32_t>(std::min(10'000u, cases_.options.requests));
    Questions small(cases_.world, even, 64, Known::All);
    std::vector<std::uint32_t> lengths(even - 32, 64);
    lengths.push_back(32 * 64);
    Questions uneven(cases_.world, lengths, Known::All);
    const Resident<std::uint64_t> evenly(bench_, small, view()), skewed(bench_, uneven, view());
    const std::vector<Sampled> times = in_turn({launches([&] { evenly.ask(); }), launches([&] { skewed.ask(); })});
    evenly.verify("L5, even");
    skewed.verify("L5, one long request");
    add_time("L5", fmt::format("one of 2048 among {} of 64", even), times[1], "as many blocks evenly, time",
             times[0].seconds, at_most(1.1));
  }

  /// L6: words of 64k changes, planned into pinned memory, on their way into the table.
  void apply_changes() {
    const auto words = cases_.world.planner.table()->words();
    const ChangeRoom room = changes_of(words);
    const Memory pinned = allocate_pinned(bench_.device(), room.words.size_bytes() + room.places.size_bytes());
    const Memory there = bench_.allocate(pinned.bytes());
    const Contender copied = bench_.repeated(
        1, [&] { bench_.device()->copy(there.address(), pinned.address(), pinned.bytes(), bench_.stream()); });
    const Contender applied{[&] {
      copy_.apply({++epoch_, false, room.places, room.words}, words);
      while (!bench_.device()->done(copy_.changed())) {
      }
    }};
    const std::vector<Sampled> times = in_turn({copied, applied});
    add_time("L6", fmt::format("apply {} changed words", room.words.size()), times[1], "10 us + 2 x memcpy, time",
             10e-6 + 2 * times[0].seconds, at_most(1.0));
  }
  /// The table's own words, so that it stays as it is.
  [[nodiscard]] ChangeRoom changes_of(std::span<const kernels::TableWord> words) {
    const std::size_t count = std::min<std::size_t>(65'536, words.size() - 4);
    const ChangeRoom room = copy_.room(count);
    const std::size_t apart = (words.size() - 4) / count;
    for (std::size_t i = 0; i < count; ++i) {
      room.places[i] = static_cast<std::uint32_t>(4 + i * apart);
      room.words[i] = words[room.places[i]];
    }
    return room;
  }

  /// L6: the same look-ups with and without updates on another stream, one batch of changes after the other.
  void while_changing(const Resident<std::uint64_t>& resident) {
    const auto words = cases_.world.planner.table()->words();
    const ChangeRoom room = changes_of(words);
    const Contender ask = launches([&] { resident.ask(); });
    const std::vector<Sampled> alone = in_turn({ask});
    std::atomic<bool> over{false};
    std::uint64_t batches = 0;
    std::jthread changing([&] {
      while (!over.load(std::memory_order_relaxed)) {  // relaxed: nothing else is read with it
        copy_.apply({++epoch_, false, room.places, room.words}, words);
        while (!bench_.device()->done(copy_.changed())) std::this_thread::yield();
        ++batches;
      }
    });
    const auto begin = std::chrono::steady_clock::now();
    std::vector<Sampled> beside;
    try {
      beside = in_turn({ask});
    } catch (...) {
      over.store(true, std::memory_order_relaxed);  // relaxed: as above
      throw;
    }
    const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - begin;
    over.store(true, std::memory_order_relaxed);  // relaxed: as above
    changing.join();
    resident.verify("L6, look-ups beside updates");
    const double rate = static_cast<double>(batches * room.words.size()) / passed.count() / 1e6;
    add_time("L6", fmt::format("all hit beside {:.0f} M changes/s", rate), beside[0], "alone, time", alone[0].seconds,
             at_most(1.1));
  }

  /// L7: questions where each side has them.
  void against_host(Questions& hits) {
    hits.poison();
    const Sampled here = time_on_host(cases_, hits, cases_.options.threads, std::min(3u, cases_.options.samples),
                                      "host, against the device");
    add_rate("L7", fmt::format("all hit, {} M keys", hits.blocks() / 1'000'000), hits, hit_,
             fmt::format("host, {} threads", cases_.options.threads), here, at_least(20));
  }

  const LookupCases& cases_;
  DeviceBench bench_;
  DeviceTable copy_;
  Sampled hit_{};
  std::uint64_t epoch_ = 0;
};

}  // namespace

void run_device_cases(const LookupCases& cases, const std::shared_ptr<Device>& device) {
  DeviceCases(cases, device).run();
}

}  // namespace kvbm::bench
