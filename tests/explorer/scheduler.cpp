#include "tests/explorer/scheduler.hpp"

#include <algorithm>

#include "kvbm/base/assert.hpp"

namespace kvbm::test {
namespace {

// Of the thread that runs: its scheduler and its number.
thread_local Scheduler* own_scheduler = nullptr;
thread_local std::size_t own_number = 0;

constexpr const char* kStart = "start";

}  // namespace

std::size_t Replay::next(std::span<const std::size_t> able, bool) {
  if (step_ == schedule_.size()) return able.front();
  const std::size_t thread = schedule_[step_++];
  KVBM_ASSERT(std::find(able.begin(), able.end(), thread) != able.end(), "the schedule does not fit the scripts");
  return thread;
}

std::size_t Search::next(std::span<const std::size_t> able, bool in_step) {
  if (step_ == turns_.size()) {
    const std::size_t preemptions = turns_.empty() ? 0 : turns_.back().preemptions_with(turns_.back().chosen);
    turns_.push_back({{able.begin(), able.end()}, in_step, preemptions});
  }
  const Turn& turn = turns_[step_++];
  KVBM_ASSERT(std::equal(able.begin(), able.end(), turn.able.begin(), turn.able.end()) && in_step == turn.in_step,
              "the same turns led elsewhere");
  return turn.able[turn.chosen];
}

bool Search::advance() {
  KVBM_ASSERT(step_ == turns_.size(), "the same turns ended earlier");
  step_ = 0;
  for (; !turns_.empty(); turns_.pop_back()) {
    Turn& turn = turns_.back();
    const std::size_t choice = turn.chosen + 1;
    if (choice == turn.able.size() || turn.preemptions_with(choice) > preemptions_max_) continue;
    turn.chosen = choice;
    return true;
  }
  return false;
}

Scheduler::Scheduler(std::size_t threads) : workers_(threads) {
  for (std::size_t i = 0; i < threads; ++i) workers_[i].thread = std::thread([this, i] { work(i); });
}

Scheduler::~Scheduler() {
  quit_ = true;
  for (Worker& worker : workers_) {
    worker.turn.release();
    worker.thread.join();
  }
}

void Scheduler::run(std::span<const std::function<void()>> scripts, Turns& turns) {
  KVBM_ASSERT(scripts.size() == workers_.size(), "a script for each thread");
  scripts_ = scripts;
  turns_ = &turns;
  steps_.clear();
  for (Worker& worker : workers_) {
    worker.point = {kStart};
    worker.done = false;
  }
  hand_over(choose(kNobody));
  all_done_.acquire();
}

void Scheduler::work(std::size_t number) {
  own_scheduler = this;
  own_number = number;
  Worker& self = workers_[number];
  for (self.turn.acquire(); !quit_; self.turn.acquire()) {
    yield_hook = &Scheduler::yield;
    scripts_[number]();
    yield_hook = nullptr;
    self.done = true;
    hand_over(choose(number));
  }
}

void Scheduler::yield(const YieldPoint& point) {
  Scheduler& scheduler = *own_scheduler;
  Worker& self = scheduler.workers_[own_number];
  self.point = point;
  const std::size_t next = scheduler.choose(own_number);
  if (next == own_number) return;
  scheduler.hand_over(next);
  self.turn.acquire();
}

std::size_t Scheduler::choose(std::size_t last) {
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    if (!workers_[i].done && workers_[i].point.step == kStart) return i;
  }
  std::vector<std::size_t> able;
  able.reserve(workers_.size());
  bool all_done = true;
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    const Worker& worker = workers_[i];
    if (worker.done) continue;
    all_done = false;
    if (worker.point.possible == nullptr || worker.point.possible(worker.point.condition)) able.push_back(i);
  }
  if (all_done) return kNobody;
  KVBM_ASSERT(!able.empty(), "no thread can go on");
  KVBM_ASSERT(steps_.size() < kMostSteps, "the execution does not end");
  const auto found = std::find(able.begin(), able.end(), last);
  const bool in_step = found != able.end() && !steps_.empty();
  if (in_step) std::rotate(able.begin(), found, found + 1);  // it goes first
  const std::size_t next = turns_->next(able, in_step);
  steps_.push_back({next, workers_[next].point.step});
  return next;
}

void Scheduler::hand_over(std::size_t next) { (next == kNobody ? all_done_ : workers_[next].turn).release(); }

}  // namespace kvbm::test
