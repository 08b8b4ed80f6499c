#include "bench/support/lookup_crossing.hpp"

#include <fmt/format.h>

#include "kvbm/memory/pinned_memory.hpp"
#include "src/host/lookup/lookup_lane.hpp"
#include "src/host/lookup/pinned_lookup.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kLength = 512;
constexpr std::uint32_t kSmallBlocks = 4096;

class Crossing {
 public:
  Crossing(const LookupCases& cases, const DeviceBench& bench,
           const kernels::PrefixTableView<kernels::FingerprintSlot>& table, EventView ready)
      : cases_(cases),
        bench_(bench),
        table_(table),
        ready_(ready),
        back_(bench.device(), StreamPriority::Normal, "back"),
        back_reached_(bench.device()) {}

  /// L3, with all that is compared with in turn.
  void host_to_host() {
    Questions questions(cases_.world, std::min(1000u, cases_.options.requests), kLength, Known::All);
    PinnedLookup pinned(bench_.device(), questions.requests(), questions.blocks());
    ask_in(pinned, questions);
    LookupLane lanes[2] = {LookupLane(bench_.device(), 1u << 16), LookupLane(bench_.device(), 1u << 16)};
    PrefixAnswers answers;
    const std::size_t up = questions.keys.size() * 8 + questions.offsets.size() * 4;
    const std::size_t down = questions.keys.size() * 8 + questions.prefixes.size() * 4;
    const Memory here = allocate_pinned(bench_.device(), up + down);
    const Memory there = bench_.allocate(up + down);
    const std::vector<Contender> contenders{{[&] {
                                              copy(there, here, 0, up + down);
                                              bench_.spin();
                                            }},
                                            {[&] { copy_both_ways(here, there, up, down); }},
                                            {[&] { pinned.run(table_, ready_, questions.requests(), kSmallBlocks); }},
                                            {[&] { ask_pageable(lanes, questions, answers); }}};
    const std::vector<Sampled> times = sample_in_turn(cases_.options.samples, contenders);
    questions.verify(pinned.prefixes(), pinned.hints(), "L3, pinned");
    questions.verify(answers.prefixes, answers.hints, "L3, pageable");
    add("L3", fmt::format("host to host, {} x 512", questions.requests()), times[2],
        "one memcpy of both ways' bytes, time", times[0], at_most(1.25));
    add("L3", "the same", times[2], "two memcpys, both ways at once, time", times[1], {});
    add("L3", "the same from pageable memory", times[3], "one memcpy of both ways' bytes, time", times[0], {});
  }

  /// L7, small and large.
  void find_crossover() {
    std::uint32_t crossover = 0;
    for (const std::uint32_t requests : {1u, 4u, 16u, 64u, 256u, 1024u, 2048u}) {
      if (requests > cases_.options.requests) break;
      Questions questions(cases_.world, requests, kLength, Known::All);
      PinnedLookup pinned(bench_.device(), requests, questions.blocks());
      ask_in(pinned, questions);
      const Sampled there = sample(cases_.options.samples, [&] { pinned.run(table_, ready_, requests, kSmallBlocks); });
      questions.verify(pinned.prefixes(), pinned.hints(), "L7, crossover");
      const unsigned samples = std::min(5u, cases_.options.samples);
      Sampled here = time_on_host(cases_, questions, 1, samples, "host, crossover");
      questions.poison();
      const Sampled all = time_on_host(cases_, questions, cases_.options.threads, samples, "host, crossover");
      if (all.seconds < here.seconds) here = all;
      if (crossover == 0 && there.seconds < here.seconds) crossover = questions.blocks();
      cases_.rows.add({"L7",
                       fmt::format("host to host, {} x 512", requests),
                       millions_per_second(questions, there),
                       "M keys/s",
                       "host, one thread or all",
                       here.seconds / there.seconds,
                       {},
                       there.spread});
    }
    cases_.rows.add({.id = "L7",
                     .name = crossover == 0 ? "crossover: none so far" : "crossover",
                     .value = static_cast<double>(crossover),
                     .unit = "keys",
                     .reference = "host, one thread or all"});
  }

 private:
  static void ask_in(PinnedLookup& pinned, const Questions& questions) {
    std::ranges::copy(questions.offsets, pinned.offsets().begin());
    std::ranges::copy(questions.keys, pinned.keys().begin());
    std::ranges::fill(pinned.hints(), BlockHint(9, 9, 9));
  }
  void copy(const Memory& target, const Memory& source, std::size_t begin, std::size_t bytes) const {
    bench_.device()->copy(target.address() + begin, source.address() + begin, bytes, bench_.stream());
  }
  void copy_both_ways(const Memory& here, const Memory& there, std::size_t up, std::size_t down) {
    copy(there, here, 0, up);
    bench_.device()->copy(here.address() + up, there.address() + up, down, back_.view());
    bench_.device()->record(back_reached_.view(), back_.view());
    bench_.spin();
    while (!bench_.device()->done(back_reached_.view())) {
    }
  }
  /// As DevicePrefixIndex does with spans.
  void ask_pageable(LookupLane (&lanes)[2], const Questions& questions, PrefixAnswers& answers) const {
    answers.prefixes.assign(questions.requests(), 0);
    answers.hints.resize(questions.keys.size());
    unsigned turn = 0;
    for (LookupPiece next; next.request < questions.requests(); turn ^= 1) {
      lanes[turn].finish(questions.offsets, answers);
      const LookupPiece piece = lanes[turn].piece_at(questions.offsets, next);
      lanes[turn].begin(table_, ready_, questions.offsets, piece, false,
                        [&](std::size_t i) { return questions.keys[i]; });
      next = piece.next(questions.offsets);
    }
    lanes[turn].finish(questions.offsets, answers);
    lanes[turn ^ 1].finish(questions.offsets, answers);
  }
  void add(const char* id, const std::string& name, const Sampled& sampled, const char* reference, const Sampled& of,
           std::optional<LookupGoal> goal) const {
    cases_.rows.add(
        {id, name, sampled.seconds * 1e6, "us", reference, sampled.seconds / of.seconds, goal, sampled.spread});
  }

  const LookupCases& cases_;
  const DeviceBench& bench_;
  kernels::PrefixTableView<kernels::FingerprintSlot> table_;
  EventView ready_;
  Stream back_;
  Event back_reached_;
};

}  // namespace

void time_crossing(const LookupCases& cases, const DeviceBench& bench,
                   const kernels::PrefixTableView<kernels::FingerprintSlot>& table, EventView ready) {
  Crossing crossing(cases, bench, table, ready);
  crossing.host_to_host();
  crossing.find_crossover();
}

}  // namespace kvbm::bench
