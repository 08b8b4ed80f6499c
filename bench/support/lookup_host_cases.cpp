#include <thread>

#include "bench/support/lookup_cases.hpp"
#include "kernels/prefix_match.cuh"
#include "src/host/lookup/host_match.hpp"

namespace kvbm::bench {
namespace {

std::uint64_t same(std::uint64_t key) noexcept { return key; }

Sampled plain(const LookupCases& cases, Questions& questions) {
  const kernels::MatchOneRequest<LookupBatch> match{questions.batch(cases.world)};
  const Sampled sampled = sample(cases.options.samples, [&] {
    for (std::uint32_t request = 0; request < match.batch.requests; ++request) match(request);
  });
  questions.verify("plain loop");
  return sampled;
}

/// Removes and adds known keys: what following a log costs beside reading it.
void plan(const LookupCases& cases) {
  constexpr std::uint64_t kChanges = 32'768;
  std::uint64_t next = 0;
  const Sampled sampled = sample(cases.options.samples, [&] {
    for (std::uint64_t i = 0; i < kChanges; ++i, next = (next + 7919) % cases.world.known) {
      static_cast<void>(cases.world.planner.remove(LookupWorld::key(next), LookupWorld::hint(next)));
      cases.world.planner.add(LookupWorld::key(next), LookupWorld::hint(next));
    }
    static_cast<void>(cases.world.planner.commit());
  });
  cases.rows.add({.id = "-",
                  .name = "plan 64k changes",
                  .value = sampled.seconds / (2 * kChanges) * 1e9,
                  .unit = "ns/change",
                  .spread = sampled.spread});
}

}  // namespace

Sampled time_on_host(const LookupCases& cases, Questions& questions, unsigned threads, unsigned samples,
                     const std::string& what) {
  const LookupBatch batch = questions.batch(cases.world);
  const Sampled sampled = sample(samples, [&] {
    const std::uint32_t share = (batch.requests + threads - 1) / threads;
    std::vector<std::jthread> others;
    for (std::uint32_t first = share; first < batch.requests; first += share) {
      others.emplace_back([&, first] { match_on_host(batch, first, std::min(first + share, batch.requests), same); });
    }
    match_on_host(batch, 0, std::min(share, batch.requests), same);
  });
  questions.verify(what);
  return sampled;
}

double millions_per_second(const Questions& questions, const Sampled& sampled) noexcept {
  return static_cast<double>(questions.blocks()) / sampled.seconds / 1e6;
}

void run_host_cases(const LookupCases& cases) {
  const unsigned samples = cases.options.samples;
  const std::uint32_t requests = std::min(1000u, cases.options.requests);
  const std::string shape = std::to_string(requests) + " x 512";
  Questions hits(cases.world, requests, 512, Known::All);
  const Sampled base = plain(cases, hits);
  hits.poison();
  const Sampled one = time_on_host(cases, hits, 1, samples, "host, all hit");
  cases.rows.add({"-",
                  "host, all hit, " + shape,
                  millions_per_second(hits, one),
                  "M keys/s",
                  "loop without prefetch",
                  base.seconds / one.seconds,
                  {},
                  one.spread});
  hits.poison();
  const Sampled all = time_on_host(cases, hits, cases.options.threads, samples, "host, all threads");
  cases.rows.add({"-",
                  "host, all hit, all threads",
                  millions_per_second(hits, all),
                  "M keys/s",
                  "one thread",
                  one.seconds / all.seconds,
                  {},
                  all.spread});
  Questions misses(cases.world, requests, 512, Known::None);
  const Sampled missed = time_on_host(cases, misses, 1, samples, "host, all miss");
  cases.rows.add({"-",
                  "host, all miss, " + shape,
                  missed.seconds * 1e6,
                  "us",
                  "all hit, time",
                  missed.seconds / one.seconds,
                  {},
                  missed.spread});
  plan(cases);
}

}  // namespace kvbm::bench
