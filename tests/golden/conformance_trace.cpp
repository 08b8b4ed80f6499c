#include "tests/golden/conformance_trace.hpp"

#include <limits>
#include <utility>

#include "kvbm/registry/frequency_sketch.hpp"
#include "tests/golden/conformance_operations.hpp"

namespace kvbm::conformance {
namespace {

// Far beyond recorded traces; they keep a faulty header from taking all memory.
constexpr std::uint64_t kMostBlocks = std::uint64_t{1} << 20;
constexpr std::uint64_t kMostTrackerCapacity = std::uint64_t{1} << 26;

std::optional<MultiLruEviction> thresholds_of(const Json& header) {
  const Json& value = field(header, "thresholds");
  if (value.is_null()) return std::nullopt;
  const std::vector<std::uint64_t> numbers = naturals(value, "thresholds");
  MultiLruEviction eviction;
  if (numbers.size() != eviction.thresholds.size()) refuse("\"thresholds\" are not three");
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    if (numbers[i] > std::numeric_limits<std::uint8_t>::max()) refuse("a threshold is too high");
    eviction.thresholds[i] = static_cast<std::uint8_t>(numbers[i]);
  }
  return eviction;
}

std::optional<LineageEviction> lineage_of(const Json& header) {
  const Json& order = field(header, "lineage_eviction");
  if (order.is_null()) return std::nullopt;
  if (order == "tick") return LineageEviction{LineageEviction::Order::Tick};
  if (order == "fifo") return LineageEviction{LineageEviction::Order::Fifo};
  refuse("unknown \"lineage_eviction\"");
}

EvictionOptions eviction_of(const Json& header) {
  const std::string& backend = text(field(header, "backend"), "backend");
  const std::optional<MultiLruEviction> multi_lru = thresholds_of(header);
  const std::optional<LineageEviction> lineage = lineage_of(header);
  if (backend == "lru") return LruEviction{};
  if (backend == "hashmap") return FifoEviction{};
  if (backend == "multi_lru" && multi_lru) return *multi_lru;
  if (backend == "lineage" && lineage) return *lineage;
  refuse(fmt::format("backend \"{}\" is unknown, or lacks its thresholds or order", backend));
}

DuplicationPolicy duplication_of(const Json& header) {
  const std::string& policy = text(field(header, "dup"), "dup");
  if (policy == "allow") return DuplicationPolicy::Allow;
  if (policy == "reject") return DuplicationPolicy::Reject;
  refuse(fmt::format("unknown duplication policy \"{}\"", policy));
}

BlockRegistry registry_of(const Json& header) {
  const Json& capacity = field(header, "tracker_capacity");
  if (capacity.is_null()) return BlockRegistry();
  const std::uint64_t keys = natural(capacity, "tracker_capacity");
  if (keys > kMostTrackerCapacity) refuse(fmt::format("a tracker for {} hashes is too large", keys));
  return BlockRegistry({.tracker = *make_frequency_tracker({.capacity = keys, .indexing = SketchIndexing::Recorded})});
}

BlockManager<G1> manager_of(const Json& header) {
  const std::uint64_t blocks = natural(field(header, "blocks"), "blocks");
  if (blocks > kMostBlocks) refuse(fmt::format("a pool of {} blocks is too large", blocks));
  auto manager =
      BlockManager<G1>::create({.blocks = static_cast<std::uint32_t>(blocks),
                                .tokens_per_block = natural32(field(header, "block_size"), "block_size"),
                                .registry = registry_of(header),
                                .duplication = duplication_of(header),
                                .eviction = eviction_of(header),
                                .reset_on_release = boolean(field(header, "reset_default"), "reset_default")});
  if (!manager) refuse(manager.error().text);
  return *std::move(manager);
}

}  // namespace

TraceReplay::TraceReplay(const Json& header, Comparison& comparison)
    : id_(text(field(header, "id"), "id")),
      manager_(manager_of(header)),
      universe_(header, manager_.tokens_per_block(), comparison),
      state_(field(header, "s0")) {
  (void)natural(field(header, "seed"), "seed");  // of the recorder's choices; has to be there all the same
  state_.compare(StateVector(manager_), comparison);
}

void TraceReplay::take(const Json& operation, Comparison& comparison) {
  carry_out({operation, manager_, universe_, handles_, comparison});
  ++operations_;
  state_.apply(field(operation, "d"));
  state_.compare(StateVector(manager_), comparison);
}

void TraceReplay::end(const Json& trailer, Comparison& comparison) const {
  comparison.same("id", text(field(trailer, "id"), "id"), id_);
  comparison.same("ops", natural(field(trailer, "ops"), "ops"), std::uint64_t{operations_});
  StateVector(field(trailer, "s")).compare(StateVector(manager_), comparison);
}

}  // namespace kvbm::conformance
