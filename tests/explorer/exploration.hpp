#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <ostream>
#include <string>
#include <vector>

#include "kvbm/manager/block_manager.hpp"
#include "tests/explorer/scheduler.hpp"

namespace kvbm::test {

/// Whether what guards promise about the bytes of a block is kept: one that fills it is alone, one that reads finds
/// what belongs to its hash. Plain memory: one thread runs at a time.
class Pages {
 public:
  void begin_filling(BlockId id);
  void end_filling(BlockId id, const SequenceHash& hash);
  void begin_reading(BlockId id, const SequenceHash& hash);
  void end_reading(BlockId id, const SequenceHash& hash);

 private:
  struct Page {
    std::optional<SequenceHash> hash;
    bool filling = false;
    std::uint32_t readers = 0;
  };
  std::array<Page, 4> pages_;
};

/// A manager, what is held of it, and its blocks' pages: made anew for each execution, shared by the scripts. What the
/// scripts leave here is held until the manager has been examined with it.
struct World {
  explicit World(ManagerOptions options);

  std::optional<BlockManager<G1>> manager;
  std::weak_ptr<RegistryState> registry;  // the store is the last to hold it
  std::array<std::optional<CompleteBlock<G1>>, 2> staged;
  std::array<std::optional<ImmutableBlock<G1>>, 3> block;
  std::array<std::optional<BlockRun<ImmutableBlock<G1>>>, 2> run;
  std::array<std::optional<WeakBlock<G1>>, 2> weak;
  Pages pages;
};

/// What two or three threads do at once, and from where they start.
struct Scenario {
  using Script = void (*)(World&);

  std::string name;
  ManagerOptions options;
  Script set_up;
  std::vector<Script> scripts;

  friend void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.name; }
};

/// What came of trying schedules. An execution fails if it aborts, and its report says why and step by step how.
struct Exploration {
  std::uint64_t executions = 0;
  std::optional<Schedule> failing;  ///< the schedule that failed
  bool failed = false;
  std::string report;
};

/// Tries all schedules with at most so many preemptions, up to the first that fails. Runs in a child process, so that
/// a failure ends nothing else.
[[nodiscard]] Exploration explore(const Scenario& scenario, std::size_t preemptions_max);
/// Tries one schedule.
[[nodiscard]] Exploration replay(const Scenario& scenario, const Schedule& schedule);
/// "0 0 1 0" as a schedule.
[[nodiscard]] Schedule to_schedule(const std::string& text);
[[nodiscard]] std::string to_text(const Schedule& schedule);

}  // namespace kvbm::test
