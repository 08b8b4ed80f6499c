#include "tests/explorer/exploration.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <sstream>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "tests/support/managers.hpp"

// AddressSanitizer and ThreadSanitizer call back before they end a process; without them there is no such function.
extern "C" void __sanitizer_set_death_callback(void (*callback)()) __attribute__((weak));

namespace kvbm::test {

void Pages::begin_filling(BlockId id) {
  Page& page = pages_.at(id);
  KVBM_ASSERT(!page.filling && page.readers == 0, "a block was handed out that somebody uses");
  page.filling = true;
}

void Pages::end_filling(BlockId id, const SequenceHash& hash) {
  Page& page = pages_.at(id);
  KVBM_ASSERT(page.filling && page.readers == 0, "a block changed hands while it was filled");
  page = {hash, false, 0};
}

void Pages::begin_reading(BlockId id, const SequenceHash& hash) {
  Page& page = pages_.at(id);
  KVBM_ASSERT(!page.filling && page.hash == hash, "a block was found that holds something else");
  ++page.readers;
}

void Pages::end_reading(BlockId id, const SequenceHash& hash) {
  Page& page = pages_.at(id);
  KVBM_ASSERT(!page.filling && page.hash == hash && page.readers != 0, "a block changed hands while it was read");
  --page.readers;
}

World::World(ManagerOptions options) : manager(test::manager<G1>(std::move(options))) {
  registry = manager->registry().state();
}

namespace {

std::int64_t holders_in(const World& world) {
  std::int64_t holders = 0;
  for (const auto& block : world.block) holders += block ? 1 : 0;
  for (const auto& run : world.run) holders += run ? run->size() : 0;
  return holders;
}

void drop_all(World& world) {
  for (auto& staged : world.staged) staged.reset();
  for (auto& block : world.block) block.reset();
  for (auto& run : world.run) run.reset();
  for (auto& weak : world.weak) weak.reset();
}

/// All threads are done: does everything add up, with what is still held and without?
void examine(World& world) {
  if (world.manager) {
    world.manager->check_invariants();
    KVBM_ASSERT(world.manager->metrics().inflight_immutable == holders_in(world), "pins and holders differ");
  }
  drop_all(world);
  if (world.manager) {
    const std::uint32_t total = world.manager->total_blocks();
    const PoolMetrics metrics = world.manager->metrics();
    world.manager->check_invariants();
    KVBM_ASSERT(metrics.inflight_immutable == 0 && metrics.inflight_mutable == 0, "a block is held by nobody");
    KVBM_ASSERT(metrics.eager_primary_to_inactive_total == metrics.release_primary_noop_total,
                "a rescue was not answered by a late drop");
    KVBM_ASSERT(world.manager->available_blocks() == total && world.manager->allocate(total), "a block is lost");
    world.manager->check_invariants();
    world.manager.reset();
  }
  KVBM_ASSERT(world.registry.expired(), "the store outlived its last use");
}

void execute(const Scenario& scenario, Scheduler& scheduler, Turns& turns) {
  World world(scenario.options);
  scenario.set_up(world);
  std::vector<std::function<void()>> scripts;
  for (const Scenario::Script script : scenario.scripts) scripts.emplace_back([script, &world] { script(world); });
  scheduler.run(scripts, turns);
  examine(world);
}

// ---- in the child ----

int report_to = -1;
std::size_t executions = 0;
const Scheduler* under_way = nullptr;

/// snprintf and write, so that it can be called where memory cannot be allocated.
template <class... Values>
void say(const char* format, Values... values) {
  char text[128];
  const int size = std::snprintf(text, sizeof text, format, values...);
  if (size > 0)
    static_cast<void>(!::write(report_to, text, std::min<std::size_t>(static_cast<std::size_t>(size), 127)));
}

void say_how() {
  const Scheduler* failed = std::exchange(under_way, nullptr);
  if (failed == nullptr) return;
  for (const Scheduler::Step& step : failed->steps()) {
    say("%*s%zu: %s\n", static_cast<int>(step.thread * 24), "", step.thread, step.what);
  }
  say("executions: %zu\nschedule:", executions);
  for (const Scheduler::Step& step : failed->steps()) say(" %zu", step.thread);
  say("%s", "\n");
}

void on_signal(int) {
  say_how();
  ::_exit(1);
}

[[noreturn]] void explore_here(const Scenario& scenario, const std::function<void(Scheduler&)>& make) {
  std::signal(SIGABRT, on_signal);
  std::signal(SIGSEGV, on_signal);
  if (__sanitizer_set_death_callback != nullptr) __sanitizer_set_death_callback(say_how);
  {
    Scheduler scheduler(scenario.scripts.size());
    under_way = &scheduler;
    make(scheduler);
    under_way = nullptr;
  }
  say("executions: %zu\n", executions);
  std::exit(0);
}

// ---- in the parent ----

std::string read_all(int from) {
  std::string text;
  char part[4096];
  for (ssize_t got = 0; (got = ::read(from, part, sizeof part)) > 0;) text.append(part, static_cast<std::size_t>(got));
  return text;
}

Exploration understood(const std::string& text, bool failed) {
  Exploration result;
  result.failed = failed;
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("executions: ")) {
      result.executions = std::stoull(line.substr(12));
      continue;
    }
    if (line.starts_with("schedule:")) result.failing = to_schedule(line.substr(9));
    result.report += line + '\n';
  }
  return result;
}

Exploration explore_in_child(const Scenario& scenario, const std::function<void(Scheduler&)>& make) {
  int ends[2];
  KVBM_ASSERT(::pipe(ends) == 0, "no pipe");
  std::fflush(nullptr);
  const pid_t child = ::fork();
  KVBM_ASSERT(child >= 0, "no process");
  if (child == 0) {
    ::close(ends[0]);
    report_to = ends[1];
    ::dup2(report_to, STDERR_FILENO);  // what an assertion or a sanitizer says belongs to the report
    explore_here(scenario, make);
  }
  ::close(ends[1]);
  const std::string text = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  KVBM_ASSERT(::waitpid(child, &status, 0) == child, "the child is lost");
  return understood(text, status != 0);
}

}  // namespace

Exploration explore(const Scenario& scenario, std::size_t preemptions_max) {
  return explore_in_child(scenario, [&](Scheduler& scheduler) {
    Search search(preemptions_max);
    do {
      ++executions;
      execute(scenario, scheduler, search);
    } while (search.advance());
  });
}

Exploration replay(const Scenario& scenario, const Schedule& schedule) {
  return explore_in_child(scenario, [&](Scheduler& scheduler) {
    Replay turns(schedule);
    ++executions;
    execute(scenario, scheduler, turns);
  });
}

Schedule to_schedule(const std::string& text) {
  Schedule schedule;
  std::istringstream numbers(text);
  for (std::size_t thread = 0; numbers >> thread;) schedule.push_back(thread);
  return schedule;
}

std::string to_text(const Schedule& schedule) {
  std::string text;
  for (const std::size_t thread : schedule) {
    if (!text.empty()) text += ' ';
    text += std::to_string(thread);
  }
  return text;
}

}  // namespace kvbm::test
