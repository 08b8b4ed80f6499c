#include "runtime.hpp"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "kvbm/device/device_error.hpp"

namespace engine {
namespace {

StepLimits limits_of(const RuntimeOptions& options) {
  const std::uint32_t pages = (kPositions + options.cache.tokens_per_block - 1) / options.cache.tokens_per_block;
  return {.rows = options.rows_max, .sequences = options.sequences_max, .pages = options.sequences_max * pages};
}

bool is_broken(const std::runtime_error& error) {
  const auto* device_error = dynamic_cast<const kvbm::DeviceError*>(&error);
  return device_error == nullptr || device_error->kind() == kvbm::DeviceError::Kind::Broken;
}

}  // namespace

Runtime::Runtime(std::shared_ptr<kvbm::Device> device, const std::vector<float>& weights, const RuntimeOptions& options)
    : options_(options),
      device_(std::move(device)),
      compute_(device_, kvbm::StreamPriority::Normal, "engine.compute"),
      cache_(device_, compute_.view(), options.cache),
      runner_(device_, compute_.view(), cache_.g1_layout(), weights, limits_of(options)) {}

std::vector<Outcome> Runtime::serve(const std::vector<Turn>& workload, const std::vector<Tokens>& prompts) {
  workload_ = &workload;
  prompts_ = &prompts;
  client_.emplace(workload);
  outcomes_.assign(workload.size(), {});
  prepare();
  while (!client_->all_ended()) {
    make_step();
    stepping_.empty() ? wait_for_room() : run_step();
  }
  return std::move(outcomes_);
}

/// What can be done for steps to come while one runs.
void Runtime::prepare() {
  admit();
  take_prefixes();
}

/// Lets requests in while blocks are free for their prompts; one always.
void Runtime::admit() {
  while (running_.size() < options_.sequences_max) {
    RequestPointer request = next_request();
    if (request == nullptr) return;
    const std::size_t blocks = request->sequence.total_tokens() / options_.cache.tokens_per_block + 1;
    if (!running_.empty() && cache_.available_blocks() < blocks) {
      preempted_.push_front(std::move(request));
      return;
    }
    request->prefix = cache_.onboard(request->sequence.hashes());
    running_.push_back(std::move(request));
  }
}

Runtime::RequestPointer Runtime::next_request() {
  if (!preempted_.empty()) {
    RequestPointer request = std::move(preempted_.front());
    preempted_.pop_front();
    return request;
  }
  const std::optional<std::uint32_t> turn = client_->send();
  if (!turn) return nullptr;
  return std::make_unique<Request>(Request{
      .turn = *turn,
      .sequence = kvbm::SchedulableSequence<kvbm::G1>(
          (*prompts_)[*turn],
          {.max_output_tokens = (*workload_)[*turn].output_tokens, .block_size = options_.cache.tokens_per_block})});
}

void Runtime::take_prefixes() {
  for (const RequestPointer& request : running_) {
    if (request->prefix && request->prefix->advance()) take_prefix(*request);
  }
}

/// Gives the request what has arrived of its prefix. If a copy failed that is less, and the rest is computed.
void Runtime::take_prefix(Request& request) {
  const auto added = request.sequence.add_prefix(std::move(*request.prefix).finish().prefix);
  KVBM_ASSERT(added.has_value(), "an idle sequence takes a prefix");
  request.prefix.reset();
}

/// Decodes first, oldest first, then prefills with the rows that are left.
void Runtime::make_step() {
  step_.clear();
  stepping_.clear();
  for (const bool prefill : {false, true}) {
    for (std::size_t i = 0; i < running_.size(); ++i) {  // preemption shortens it from behind
      Request& request = *running_[i];
      if (request.prefix || request.sequence.is_prefill_complete() == prefill) continue;
      if (step_.rows() == options_.rows_max || !schedule(request, options_.rows_max - step_.rows())) break;
    }
  }
}

/// Adds the request's next tokens to the step. False if there are no blocks for them.
bool Runtime::schedule(Request& request, std::uint32_t rows_left) {
  kvbm::SchedulableSequence<kvbm::G1>& sequence = request.sequence;
  const bool prefill = !sequence.is_prefill_complete();
  const std::size_t begin = prefill ? sequence.prefill_position() : sequence.kv_position();
  const std::size_t end = prefill ? std::min(sequence.prefill_end(), begin + rows_left) : begin + 1;
  for (;;) {
    const auto scheduled = prefill ? sequence.schedule_prefill(end - begin, cache_) : sequence.schedule_decode(cache_);
    if (scheduled) break;
    KVBM_ASSERT(scheduled.error().get_if<kvbm::ScheduleError::AllocationFailed>(), "only blocks can be missing");
    if (!preempt_younger_than(request)) return false;
  }
  request.rows = static_cast<std::uint32_t>(end - begin);
  request.sampled = !prefill || end == sequence.prefill_end();
  step_.add_sequence(sequence.page_indices(), sequence.writable_from());
  const std::span<const kvbm::Token> tokens = sequence.sequence().sequence().tokens();
  for (std::size_t i = begin; i < end; ++i) {
    step_.add_row(tokens[i], static_cast<std::uint32_t>(i), request.sampled && i + 1 == end);
  }
  stepping_.push_back(&request);
  counts_.chunks += request.sampled ? 0 : 1;
  return true;
}

/// Takes all blocks from the youngest that holds some and is not in the step. False if that is `request` or older.
bool Runtime::preempt_younger_than(const Request& request) {
  for (std::size_t i = running_.size(); running_[i - 1].get() != &request; --i) {
    Request& victim = *running_[i - 1];
    if (victim.prefix || !victim.sequence.is_idle() || victim.sequence.page_indices().empty()) continue;
    const auto released = victim.sequence.release();
    KVBM_ASSERT(released.has_value(), "an idle sequence is released");
    preempted_.push_front(std::move(running_[i - 1]));
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i - 1));
    ++counts_.preemptions;
    return true;
  }
  return false;
}

void Runtime::run_step() {
  settled_ = false;
  ++counts_.steps;
  counts_.rows += step_.rows();
  StepOutputs outputs;
  try {
    runner_.enqueue(step_);
    prepare();
    if (step_.samples() != 0) outputs = runner_.wait(step_);
  } catch (const std::runtime_error& error) {
    return is_broken(error) ? fail_all(error.what()) : revert(error.what());
  }
  apply(outputs);
}

/// Tells each sequence that its step has run, which makes findable what it filled. A step without outputs may still be
/// running: whatever reads its pages is ordered behind it, by its stream or by the cache.
void Runtime::apply(const StepOutputs& outputs) {
  std::size_t sample = 0;
  for (Request* request : stepping_) {
    std::optional<kvbm::Token> token;
    if (request->sampled) {
      const std::span<const float> logits = outputs.logits.subspan(sample * kVocabulary, kVocabulary);
      request->answer.logits.insert(request->answer.logits.end(), logits.begin(), logits.end());
      request->answer.tokens.push_back(token.emplace(outputs.tokens[sample++]));
    }
    const bool applied = std::holds_alternative<kvbm::PrefillScheduled>(request->sequence.state())
                             ? request->sequence.apply_prefill(token, cache_).has_value()
                             : request->sequence.apply_decode(*token, cache_).has_value();
    KVBM_ASSERT(applied, "what was scheduled is applied");
    request->failures = 0;
  }
  for (std::size_t i = running_.size(); i-- > 0;) {
    if (running_[i]->sequence.is_complete()) end(i, std::nullopt);
  }
}

/// Takes a refused step back, to be made again. Its pages go only when nothing writes to them any more.
void Runtime::revert(const std::string& reason) {
  try {
    runner_.drain();
  } catch (const std::runtime_error& error) {
    return fail_all(error.what());
  }
  ++counts_.reverted_steps;
  for (Request* request : stepping_) {
    const auto reverted = request->sequence.revert_schedule();
    KVBM_ASSERT(reverted.has_value(), "what was scheduled is reverted");
    ++request->failures;
  }
  for (std::size_t i = running_.size(); i-- > 0;) {
    if (running_[i]->failures > options_.retries_max) end(i, reason);
  }
}

/// No sequence can go on. Either turns have ended since the last admission, or prefixes are on their way, or pages that
/// are given up are.
void Runtime::wait_for_room() {
  prepare();
  const auto waiting =
      std::find_if(running_.begin(), running_.end(), [](const RequestPointer& one) { return one->prefix.has_value(); });
  if (waiting != running_.end()) return take_prefix(**waiting);
  if (!std::exchange(settled_, true)) return cache_.settle();
  KVBM_ASSERT(!running_.empty(), "a turn can be sent, or one is running");
  end(0, "its tokens do not fit into the cache");
}

void Runtime::end(std::size_t index, std::optional<std::string> failure) {
  Request& request = *running_[index];
  outcomes_[request.turn] = {std::move(request.answer), std::move(failure)};
  client_->end(request.turn);
  running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(index));
}

/// The device is gone: all that run, and all that are still to come, fail.
void Runtime::fail_all(const std::string& reason) {
  std::move(preempted_.begin(), preempted_.end(), std::back_inserter(running_));
  preempted_.clear();
  stepping_.clear();
  while (!client_->all_ended()) {
    while (!running_.empty()) end(running_.size() - 1, reason);
    if (RequestPointer request = next_request()) running_.push_back(std::move(request));
  }
}

}  // namespace engine
