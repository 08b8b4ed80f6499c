#include "tests/golden/conformance_operations.hpp"

#include <algorithm>
#include <limits>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <utility>

namespace kvbm::conformance {
namespace {

using Mutable = MutableBlock<G1>;
using Complete = CompleteBlock<G1>;
using Immutable = ImmutableBlock<G1>;
using Weak = WeakBlock<G1>;

template <class Kind>
std::vector<std::uint64_t> ids_of(const std::vector<Kind>& guards) {
  std::vector<std::uint64_t> ids;
  for (const Kind& guard : guards) ids.push_back(guard.id());
  return ids;
}

/// Whether the operation had a result, here and in the recording.
bool has_result(const Step& step, bool got) {
  step.comparison.same("r", std::string(step.at("r").is_null() ? "null" : "a result"),
                       std::string(got ? "a result" : "null"));
  return got;
}

/// Compares the ids and gives the guards their handles; `place` has the fields for both.
template <class Kind>
void take_results(const Step& step, const Json& place, const char* handles, std::vector<Kind>&& guards) {
  step.comparison.same_list("b", naturals(field(place, "b"), "b"), ids_of(guards));
  step.handles.add_all(field(place, handles), std::move(guards));
}

/// The outcome of operations that yield one immutable block.
void take_immutable(const Step& step, Immutable block) {
  step.comparison.same("b", natural(step.at("b"), "b"), std::uint64_t{block.id()});
  step.comparison.same("x", step.universe.first_index(step.at("x")), step.universe.first_index(block.hash()));
  step.comparison.same("uc", natural(step.at("uc"), "uc"), std::uint64_t{block.use_count()});
  step.handles.add(step.at("r"), std::move(block));
}

/// More than there can be is refused just like any number beyond the pool.
std::uint32_t count_of(const Step& step) {
  constexpr std::uint64_t kMost = std::numeric_limits<std::uint32_t>::max();
  return static_cast<std::uint32_t>(std::min(natural(step.at("n"), "n"), kMost));
}

/// Where the recording's order is arbitrary, ids and handles ascend together.
void take_allocated(const Step& step, std::vector<Mutable>&& blocks) {
  if (step.line.contains("set") && boolean(step.at("set"), "set")) {
    std::sort(blocks.begin(), blocks.end(), [](const Mutable& a, const Mutable& b) { return a.id() < b.id(); });
  }
  take_results(step, step.at("r"), "h", std::move(blocks));
}

void allocate(const Step& step) {
  auto run = step.manager.allocate(count_of(step));
  if (has_result(step, run.has_value())) take_allocated(step, std::move(*run).into_blocks());
}

void allocate_with_evictions(const Step& step) {
  auto allocation = step.manager.allocate_with_evictions(count_of(step));
  if (!has_result(step, allocation.has_value())) return;
  std::vector<std::uint64_t> evicted;
  for (const SequenceHash& hash : allocation->evicted) evicted.push_back(step.universe.first_index(hash));
  step.comparison.same_list("ev", step.universe.first_indexes(list_field(step.at("r"), "ev")), evicted);
  take_allocated(step, std::move(allocation->blocks).into_blocks());
}

void stage(const Step& step) {
  const SequenceHash& hash = step.universe.hash(step.at("x"));
  const std::uint32_t tokens = natural32(step.at("bs"), "bs");
  Mutable& block = step.handles.get<Mutable>(step.at("h"));
  auto staged = std::move(block).stage(hash, tokens);
  if (has_result(step, staged.has_value())) {
    step.handles.drop(step.at("h"));  // of what was moved from
    return step.handles.add(step.at("r"), std::move(*staged));
  }
  const BlockSizeMismatch& sizes = staged.error().error;
  step.comparison.same_list("err", naturals(step.at("err"), "err"), {sizes.expected, sizes.actual});
  block = std::move(staged.error().block);
}

void complete(const Step& step) {
  const TokenBlock tokens = step.universe.block(step.at("x"));
  auto completed = step.handles.take<Mutable>(step.at("h")).complete(tokens);
  if (has_result(step, completed.has_value())) step.handles.add(step.at("r"), std::move(*completed));
}

void reset(const Step& step) {
  Mutable block = step.handles.take<Complete>(step.at("h")).reset();
  step.comparison.same("b", natural(step.at("b"), "b"), std::uint64_t{block.id()});
  step.handles.add(step.at("r"), std::move(block));
}

void register_one(const Step& step) {
  take_immutable(step, step.manager.register_block(step.handles.take<Complete>(step.at("h"))));
}

void register_many(const Step& step) {
  std::vector<Complete> blocks;
  for (const Json& handle : step.list("h")) blocks.push_back(step.handles.take<Complete>(handle));
  auto run = step.manager.register_blocks(BlockRun<Complete>::of(std::move(blocks)));
  take_results(step, step.line, "r", std::move(run).into_blocks());
}

void drop(const Step& step) {
  for (const Json& handle : step.list("h")) step.handles.drop(handle);
}

void clone(const Step& step) {
  const Guard& original = step.handles.any(step.at("h"));
  std::visit(
      [&](const auto& guard) {
        if constexpr (std::is_copy_constructible_v<std::decay_t<decltype(guard)>>) {
          step.handles.add(step.at("r"), std::decay_t<decltype(guard)>(guard));
        } else {
          refuse("a handle of the wrong kind: only immutable, weak and pin have copies");
        }
      },
      original);
}

void downgrade(const Step& step) {
  step.handles.add(step.at("r"), step.handles.get<Immutable>(step.at("h")).downgrade());
}

void upgrade(const Step& step) {
  std::optional<Immutable> block = step.handles.get<Weak>(step.at("h")).upgrade();
  if (has_result(step, block.has_value())) take_immutable(step, std::move(*block));
}

void pin(const Step& step) { step.handles.add(step.at("r"), step.handles.get<Immutable>(step.at("h")).pin()); }

void match(const Step& step) {
  const std::vector<SequenceHash> hashes = step.universe.hashes(step.list("x"));
  take_results(step, step.line, "r", step.manager.match_blocks(hashes).into_blocks());
}

void match_scattered(const Step& step) {
  const std::vector<SequenceHash> hashes = step.universe.hashes(step.list("x"));
  const SparseRun<G1> run = step.manager.match_scattered(hashes);
  std::vector<std::optional<std::uint64_t>> got;
  for (std::uint32_t i = 0; i < run.size(); ++i) got.push_back(run.has(i) ? std::optional(run.ids()[i]) : std::nullopt);
  step.comparison.same_list("b", naturals_or_null(step.list("b"), "b"), got);
  const Json& handles = step.list("r");
  if (handles.size() != run.size()) refuse("\"r\" and \"x\" differ in length");
  for (std::uint32_t i = 0; i < run.size(); ++i) {
    if (handles[i].is_null() == run.has(i)) refuse("\"r\" and \"b\" do not agree about a miss");
    if (run.has(i)) step.handles.add(handles[i], *run.block(i));
  }
}

/// The recorded map has no order: it is sorted by index, and so is the answer.
void scan(const Step& step) {
  const std::vector<SequenceHash> hashes = step.universe.hashes(step.list("x"));
  std::vector<Immutable> blocks = step.manager.scan_matches(hashes, boolean(step.at("touch"), "touch")).into_blocks();
  const auto index = [&](const Immutable& block) { return step.universe.first_index(block.hash()); };
  std::sort(blocks.begin(), blocks.end(), [&](const auto& a, const auto& b) { return index(a) < index(b); });
  std::vector<std::uint64_t> indexes;
  for (const Immutable& block : blocks) indexes.push_back(index(block));
  std::vector<std::uint64_t> recorded_indexes, recorded_ids;
  Json handles = Json::array();
  for (const Json& hit : step.list("r")) {
    if (!hit.is_array() || hit.size() != 3) refuse("\"r\" holds something else than [x, handle, block id]");
    recorded_indexes.push_back(step.universe.first_index(hit[0]));
    handles.push_back(hit[1]);
    recorded_ids.push_back(natural(hit[2], "r"));
  }
  step.comparison.same_list("r, x of", recorded_indexes, indexes);
  step.comparison.same_list("r, block id of", recorded_ids, ids_of(blocks));
  step.handles.add_all(handles, std::move(blocks));
}

void set_evict_on_reset(const Step& step) {
  step.handles.get<Immutable>(step.at("h")).set_evict_on_reset(boolean(step.at("v"), "v"));
}

void reset_inactive(const Step& step) {
  const Json& recorded = step.at("r");
  if (recorded != "ok" && naturals(recorded, "r").size() != 2) refuse("\"r\" is neither \"ok\" nor a pair");
  const ResetOutcome outcome = step.manager.reset_inactive_pool();
  const Json got = outcome.all_free() ? Json("ok") : Json{outcome.total, outcome.free};
  step.comparison.same("r", recorded.dump(), got.dump());
}

void probe(const Step& step) {
  const std::vector<SequenceHash> hashes = step.universe.hashes(step.list("x"));
  const BlockRegistry& registry = step.manager.registry();
  std::vector<bool> present, registered;
  std::vector<std::uint64_t> counts;
  for (const auto& [hash, found] : registry.check_presence<G1>(hashes)) {
    present.push_back(found);
    registered.push_back(registry.is_registered(hash));
    counts.push_back(registry.count(hash));
  }
  const auto booleans = [&](const char* name) {
    std::vector<bool> values;
    for (const Json& value : step.list(name)) values.push_back(boolean(value, name));
    return values;
  };
  step.comparison.same_list("present", booleans("present"), present);
  step.comparison.same_list("registered", booleans("registered"), registered);
  step.comparison.same_list("freq", naturals(step.at("freq"), "freq"), counts);
}

void touch(const Step& step) { step.manager.registry().touch(step.universe.hash(step.at("x"))); }

const std::unordered_map<std::string, void (*)(const Step&)>& operations() {
  static const std::unordered_map<std::string, void (*)(const Step&)> table{
      {"alloc", allocate},     {"alloc_ev", allocate_with_evictions},
      {"stage", stage},        {"complete", complete},
      {"reset", reset},        {"reg", register_one},
      {"regs", register_many}, {"drop", drop},
      {"clone", clone},        {"downgrade", downgrade},
      {"upgrade", upgrade},    {"pin", pin},
      {"match", match},        {"scat", match_scattered},
      {"scan", scan},          {"evict_on_reset", set_evict_on_reset},
      {"probe", probe},        {"reset_inactive", reset_inactive},
      {"touch", touch}};
  return table;
}

}  // namespace

void carry_out(const Step& step) {
  const std::string& name = text(step.at("o"), "o");
  const auto found = operations().find(name);
  if (found == operations().end()) refuse(fmt::format("unknown operation \"{}\"", name));
  found->second(step);
}

}  // namespace kvbm::conformance
