#include "tests/bench/recorded_trace.hpp"

#include "bench/support/trace_reader.hpp"

namespace kvbm::bench {

const std::vector<std::vector<SequenceHash>>& recorded_requests() {
  static const std::vector<std::vector<SequenceHash>> kRequests = [] {
    const auto trace = read_trace(KVBM_SOURCE_DIR "/bench/traces/conversation.jsonl");
    std::vector<std::vector<SequenceHash>> made;
    for (const TraceRequest& request : *trace) made.push_back(lineage_of(request.ids));
    return made;
  }();
  return kRequests;
}

}  // namespace kvbm::bench
