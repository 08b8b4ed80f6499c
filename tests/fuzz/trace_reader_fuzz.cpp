#include <algorithm>
#include <string>
#include <vector>

#include "bench/support/trace_reader.hpp"
#include "kvbm/base/assert.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace kvbm::fuzz {
namespace {

void check(const bench::TraceRequest& request) {
  KVBM_ASSERT(!request.ids.empty(), "a request without ids was read");
  KVBM_ASSERT(bench::full_blocks(request, 1) <= request.ids.size(), "more full blocks than ids");
  std::vector<std::uint64_t> sorted = request.ids;
  std::sort(sorted.begin(), sorted.end());
  KVBM_ASSERT(std::adjacent_find(sorted.begin(), sorted.end()) == sorted.end(), "an id was read twice in a request");
  const std::vector<SequenceHash> hashes = bench::lineage_of(request.ids);
  for (std::size_t i = 0; i < hashes.size(); ++i) {
    KVBM_ASSERT(hashes[i].position() == i, "a lineage is out of order");
  }
}

}  // namespace

/// Bytes as a trace of kvbm-replay: either requests that keep the reader's promises, or a reason.
void read_trace(std::span<const std::uint8_t> bytes) {
  const auto requests = bench::parse_trace(std::string(bytes.begin(), bytes.end()));
  if (!requests) {
    KVBM_ASSERT(!requests.error().text.empty(), "a trace was refused without a reason");
    return;
  }
  KVBM_ASSERT(!requests->empty(), "a trace without requests was read");
  for (const bench::TraceRequest& request : *requests) check(request);
}

}  // namespace kvbm::fuzz
