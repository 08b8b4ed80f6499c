#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <semaphore>
#include <span>
#include <thread>
#include <vector>

#include "kvbm/base/yield_point.hpp"

#if !defined(KVBM_RACE_EXPLORER)
#error "the explorer needs the library built with KVBM_RACE_EXPLORER"
#endif

namespace kvbm::test {

/// Who made each step of an execution, by number.
using Schedule = std::vector<std::size_t>;

/// Decides who makes the next step.
class Turns {
 public:
  virtual ~Turns() = default;
  /// One of `able`, the threads that can go on. If `in_step`, the first of them made the step before, and choosing
  /// another one is a preemption.
  [[nodiscard]] virtual std::size_t next(std::span<const std::size_t> able, bool in_step) = 0;
};

/// Makes the turns of one recorded schedule, then lets each thread run as far as it can.
class Replay final : public Turns {
 public:
  explicit Replay(Schedule schedule) : schedule_(std::move(schedule)) {}
  [[nodiscard]] std::size_t next(std::span<const std::size_t> able, bool in_step) override;

 private:
  Schedule schedule_;
  std::size_t step_ = 0;
};

/// Goes through all schedules with at most so many preemptions, depth first. Nothing is remembered of an execution but
/// its turns, so whatever is executed must do the same whenever the turns are the same.
class Search final : public Turns {
 public:
  explicit Search(std::size_t preemptions_max) : preemptions_max_(preemptions_max) {}
  [[nodiscard]] std::size_t next(std::span<const std::size_t> able, bool in_step) override;

  /// An execution is over. Returns whether there is another one to make.
  [[nodiscard]] bool advance();

 private:
  struct Turn {
    std::vector<std::size_t> able;
    bool in_step;
    std::size_t preemptions;  // before this turn
    std::size_t chosen = 0;   // index in able

    [[nodiscard]] std::size_t preemptions_with(std::size_t choice) const {
      return preemptions + (in_step && choice != 0 ? 1 : 0);
    }
  };

  const std::size_t preemptions_max_;
  std::vector<Turn> turns_;
  std::size_t step_ = 0;
};

/// Threads of which one runs at a time. Wherever the library has a yield point, and where a thread ends, the turns say
/// who goes on; a thread whose next step is not possible yet is not among those that can. Before the first turn each
/// thread runs up to its first yield point: nobody sees what it does until then.
///
/// Errors  aborts if no thread can go on (a deadlock), or if there is no end to an execution.
class Scheduler {
 public:
  explicit Scheduler(std::size_t threads);
  ~Scheduler();
  Scheduler(const Scheduler&) = delete;
  Scheduler& operator=(const Scheduler&) = delete;

  /// Runs script i on thread i, all to their ends.
  void run(std::span<const std::function<void()>> scripts, Turns& turns);

  struct Step {
    std::size_t thread;
    const char* what;
  };
  /// Of the execution under way, or of the last one.
  [[nodiscard]] std::span<const Step> steps() const { return steps_; }

 private:
  struct Worker {
    std::binary_semaphore turn{0};
    YieldPoint point{};  // where it stands
    bool done = true;
    std::thread thread;
  };
  static constexpr std::size_t kMostSteps = 10'000;

  static void yield(const YieldPoint& point);
  void work(std::size_t number);
  /// Chooses who goes on after `last` (kNobody: at the start); kNobody if all are done.
  [[nodiscard]] std::size_t choose(std::size_t last);
  void hand_over(std::size_t next);

  static constexpr std::size_t kNobody = SIZE_MAX;

  std::vector<Worker> workers_;
  std::span<const std::function<void()>> scripts_;
  Turns* turns_ = nullptr;
  std::binary_semaphore all_done_{0};
  bool quit_ = false;
  std::vector<Step> steps_;
};

}  // namespace kvbm::test
