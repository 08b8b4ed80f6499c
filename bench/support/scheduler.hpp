#pragma once

#include <algorithm>
#include <chrono>
#include <concepts>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "bench/support/page_pool.hpp"
#include "bench/support/scheduler_requests.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"

namespace kvbm::bench {

/// How long a step of the model takes.
struct StepTime {
  double fixed_us = 8000;
  double per_prefill_token_us = 10;
  double per_decode_us = 30;
};

struct SchedulerOptions {
  std::uint32_t prefill_tokens = 8192;  ///< most prompt tokens in one step, over all requests
  std::uint32_t running_max = 256;
  std::uint32_t spare_blocks = 0;  ///< free blocks that admission leaves for requests that run already
  StepTime step_time{};
};

struct SchedulerCounts {
  std::uint64_t requests = 0;
  std::uint64_t finished = 0;
  std::uint64_t too_long = 0;           ///< would not fit even alone; not served
  std::uint64_t input_blocks = 0;       ///< full blocks of prompts, when first admitted
  std::uint64_t hit_blocks = 0;         ///< of these, found
  std::uint64_t registered_blocks = 0;  ///< of prompts and answers
  std::uint64_t output_tokens = 0;
  std::uint64_t preemptions = 0;
  std::uint64_t survived_blocks = 0;  ///< found again by preempted requests
  std::uint64_t steps = 0;
  std::uint64_t running_peak = 0;
  std::uint64_t verified_pages = 0;  ///< read back: when found, and when their request finishes
  std::uint64_t corrupt_pages = 0;
  std::uint64_t simulated_us = 0;
  std::vector<std::uint64_t> step_ns{};  ///< spent on scheduling in each step, without the model and the pages
};

/// What a scheduler needs to know besides.
template <class Source>
concept SchedulerSource = BlockSource<Source, G1> && requires(const Source& source) {
  { source.available_blocks() } -> std::convertible_to<std::uint32_t>;
  { source.total_blocks() } -> std::convertible_to<std::uint32_t>;
};

/// A small continuous-batching scheduler over simulated time. In each step all requests past their prompt decode one
/// token, and prompts are prefilled in order of admission up to a budget. Requests are admitted in order of arrival
/// while there are free blocks for their whole prompt; when a running one lacks a block, the youngest is preempted, and
/// goes first when there is room again. So the oldest always gets on.
///
/// The model is a page filled with its block's pattern when the block's last token is computed, and a clock.
///
/// Threads   one at a time, and nobody else may hold the source's blocks.
/// Lifetime  refers to source and pages.
template <SchedulerSource Source>
class Scheduler {
 public:
  Scheduler(Source& source, PagePool& pages, const SchedulerOptions& options)
      : source_(source), pages_(pages), options_(options) {}

  /// Serves requests, which are sorted by arrival, until the last is done. Calls done() for each that finishes.
  template <class Done>
  void serve(std::span<const SimulatedRequest> requests, Done&& done) {
    std::size_t next = 0;
    while (next < requests.size() || !waiting_.empty() || !running_.empty()) {
      if (waiting_.empty() && running_.empty()) now_us_ = std::max<double>(now_us_, arrival(requests[next]));
      for (; next < requests.size() && arrival(requests[next]) <= now_us_; ++next) arrive(requests[next], done);
      if (waiting_.empty() && running_.empty()) continue;
      step(done);
    }
    counts_.simulated_us = static_cast<std::uint64_t>(now_us_);
  }

  [[nodiscard]] const SchedulerCounts& counts() const noexcept { return counts_; }

 private:
  using Clock = std::chrono::steady_clock;
  /// A request that has arrived. Its sequence is made when it is first considered.
  struct Job {
    const SimulatedRequest* request;
    std::optional<SchedulableSequence<G1>> sequence{};
    bool preempted = false;
    std::size_t matched = 0;  // blocks found at the last admission, not verified yet
    std::size_t step_tokens = 0;
  };
  using JobPointer = std::unique_ptr<Job>;

  [[nodiscard]] static double arrival(const SimulatedRequest& request) noexcept {
    return static_cast<double>(request.arrival_us());
  }
  [[nodiscard]] std::uint64_t blocks_for(std::uint64_t tokens) const noexcept {
    return (tokens + source_.tokens_per_block() - 1) / source_.tokens_per_block();
  }

  template <class Done>
  void arrive(const SimulatedRequest& request, Done&& done) {
    ++counts_.requests;
    if (blocks_for(request.input_tokens() + request.output_tokens()) > source_.total_blocks()) {
      ++counts_.too_long;
      return done();
    }
    waiting_.push_back(std::make_unique<Job>(Job{&request}));
  }

  template <class Done>
  void step(Done&& done) {
    prepare_first();
    const Clock::time_point begin = Clock::now();
    schedule_decodes();
    schedule_prefills();
    admit();
    const Clock::time_point scheduled = Clock::now();
    run_model();
    const Clock::time_point ran = Clock::now();
    apply();
    const Clock::time_point applied = Clock::now();
    for (const JobPointer& job : finished_) verify(*job, job->sequence->assigned_blocks());
    const Clock::time_point verified = Clock::now();
    const std::size_t finished = finished_.size();
    finished_.clear();
    const auto spent = (scheduled - begin) + (applied - ran) + (Clock::now() - verified);
    counts_.step_ns.push_back(static_cast<std::uint64_t>(std::chrono::nanoseconds(spent).count()));
    ++counts_.steps;
    counts_.finished += finished;
    for (std::size_t i = 0; i < finished; ++i) done();
  }

  /// Tokens and hashes of requests that may be admitted in this step; a real engine has them when a request arrives.
  void prepare_first() {
    const std::size_t most = std::min<std::size_t>(waiting_.size(), kPrepared);
    for (std::size_t i = 0; i < most; ++i) {
      Job& job = *waiting_[i];
      if (job.sequence) continue;
      job.sequence.emplace(job.request->prompt(), SequenceOptions{.max_output_tokens = job.request->output_tokens(),
                                                                  .block_size = source_.tokens_per_block()});
    }
  }

  void schedule_decodes() {
    for (std::size_t i = 0; i < running_.size(); ++i) {
      SchedulableSequence<G1>& sequence = *running_[i]->sequence;
      if (!sequence.is_prefill_complete()) continue;
      while (!sequence.schedule_decode(source_)) {
        preempt_youngest();
        if (i == running_.size()) return;  // that was this one
      }
      running_[i]->step_tokens = 1;
    }
  }

  void schedule_prefills() {
    prefill_left_ = options_.prefill_tokens;
    for (std::size_t i = 0; i < running_.size() && prefill_left_ > 0; ++i) {
      if (running_[i]->sequence->is_prefill_complete()) continue;
      while (!schedule_chunk(*running_[i])) {
        if (i + 1 == running_.size()) return;  // the youngest waits; it goes if an older one needs its blocks
        preempt_youngest();
      }
    }
  }
  /// False if there are not enough blocks.
  bool schedule_chunk(Job& job) {
    SchedulableSequence<G1>& sequence = *job.sequence;
    const std::size_t tokens =
        std::min<std::size_t>(prefill_left_, sequence.prefill_end() - sequence.prefill_position());
    if (!sequence.schedule_prefill(tokens, source_)) return false;
    job.step_tokens = tokens;
    prefill_left_ -= static_cast<std::uint32_t>(tokens);
    return true;
  }

  void admit() {
    for (std::size_t tried = 0; !waiting_.empty() && tried < kPrepared; ++tried) {
      if (running_.size() >= options_.running_max || prefill_left_ == 0 || !take_blocks(*waiting_.front())) break;
      running_.push_back(std::move(waiting_.front()));
      waiting_.pop_front();
      if (!schedule_chunk(*running_.back())) break;
    }
    counts_.running_peak = std::max<std::uint64_t>(counts_.running_peak, running_.size());
  }
  /// Takes what is cached, if there is room for the rest. A request that is alone needs no spare blocks.
  bool take_blocks(Job& job) {
    SchedulableSequence<G1>& sequence = *job.sequence;
    const std::uint32_t spare = running_.empty() ? 0 : options_.spare_blocks;
    if (source_.available_blocks() <= spare) return false;
    if (job.preempted) {
      if (!*sequence.reacquire(source_)) return false;
    } else {
      static_cast<void>(sequence.match_and_add_prefix(source_));
    }
    const std::uint64_t wanted = blocks_for(sequence.total_tokens() + 1) - sequence.assignments().size();
    if (wanted + spare > source_.available_blocks() && !running_.empty()) {
      static_cast<void>(sequence.release());
      return false;
    }
    count_match(job);
    return true;
  }
  void count_match(Job& job) {
    job.matched = job.sequence->assigned_blocks();
    if (job.preempted) {
      counts_.survived_blocks += job.matched;
    } else {
      counts_.input_blocks += job.sequence->num_blocks();
      counts_.hit_blocks += job.matched;
    }
  }

  void preempt_youngest() {
    JobPointer job = std::move(running_.back());
    running_.pop_back();
    prefill_left_ += job->sequence->is_prefill_complete() ? 0 : static_cast<std::uint32_t>(job->step_tokens);
    job->sequence->abort();
    job->preempted = true;
    job->step_tokens = 0;
    waiting_.push_front(std::move(job));
    ++counts_.preemptions;
  }

  /// Verifies what was found, fills the pages that become full in this step, and lets time pass.
  void run_model() {
    const StepTime& time = options_.step_time;
    now_us_ += time.fixed_us;
    for (const JobPointer& job : running_) {
      verify(*job, std::exchange(job->matched, 0));
      if (job->sequence->is_idle()) continue;
      const SchedulableSequence<G1>& sequence = *job->sequence;
      const std::size_t block = sequence.block_size();
      const std::size_t end = (sequence.kv_position() + job->step_tokens) / block;
      for (std::size_t i = sequence.writable_from() / block; i < end; ++i) {
        pages_.fill(sequence.page_indices()[i], sequence.hashes()[i]);
      }
      now_us_ += sequence.is_prefill_complete() ? time.per_decode_us
                                                : time.per_prefill_token_us * static_cast<double>(job->step_tokens);
    }
  }
  void verify(const Job& job, std::size_t blocks) {
    const SchedulableSequence<G1>& sequence = *job.sequence;
    for (std::size_t i = 0; i < blocks; ++i) {
      ++counts_.verified_pages;
      if (!pages_.holds(sequence.page_indices()[i], sequence.hashes()[i])) ++counts_.corrupt_pages;
    }
  }

  void apply() {
    std::size_t kept = 0;
    for (JobPointer& job : running_) {
      if (!job->sequence->is_idle()) apply(*job);
      if (job->sequence->is_complete()) {
        finished_.push_back(std::move(job));
      } else {
        std::swap(running_[kept++], job);
      }
    }
    running_.resize(kept);
  }
  void apply(Job& job) {
    SchedulableSequence<G1>& sequence = *job.sequence;
    const std::size_t before = sequence.assigned_blocks();
    const std::size_t generated = sequence.generated_tokens();
    if (sequence.is_prefill_complete()) {
      static_cast<void>(sequence.apply_decode(job.request->answer(generated), source_));
    } else {
      const bool last = sequence.prefill_position() + job.step_tokens == sequence.prefill_end();
      const std::optional<Token> token = last ? std::optional(job.request->answer(generated)) : std::nullopt;
      static_cast<void>(sequence.apply_prefill(token, source_));
    }
    KVBM_ASSERT(sequence.is_idle(), "a scheduled step was not applied");
    job.step_tokens = 0;
    counts_.output_tokens += sequence.generated_tokens() - generated;
    counts_.registered_blocks += sequence.assigned_blocks() - before;
  }

  static constexpr std::size_t kPrepared = 16;  // requests admitted in one step, at most

  Source& source_;
  PagePool& pages_;
  const SchedulerOptions options_;
  SchedulerCounts counts_;
  double now_us_ = 0;
  std::uint32_t prefill_left_ = 0;
  std::deque<JobPointer> waiting_;    // next to be admitted first
  std::vector<JobPointer> running_;   // oldest first
  std::vector<JobPointer> finished_;  // of one step
};

}  // namespace kvbm::bench
