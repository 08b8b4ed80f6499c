#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cache.hpp"
#include "client.hpp"
#include "kvbm/sequence/schedulable_sequence.hpp"
#include "reference.hpp"
#include "step_runner.hpp"

namespace engine {

struct RuntimeOptions {
  CacheOptions cache{};
  std::uint32_t sequences_max = 8;  ///< that run at a time
  std::uint32_t rows_max = 48;      ///< tokens computed in one step
  std::uint32_t retries_max = 3;    ///< of a step that the device refuses
};

struct Outcome {
  Answer answer;
  std::optional<std::string> failure;  ///< why there is no answer
};

/// What the loop has done. Blocks, unless it says otherwise.
struct RuntimeCounts {
  std::uint64_t steps = 0;
  std::uint64_t rows = 0;            ///< tokens computed
  std::uint64_t chunks = 0;          ///< prefills that were not the last of their prompt
  std::uint64_t preemptions = 0;     ///< sequences
  std::uint64_t reverted_steps = 0;  ///< steps that the device refused, and that ran again
};

/// An inference engine: continuous batching over a paged cache. Each step decodes all that run and prefills as many
/// tokens as still fit; prompts take what is cached in either tier; when blocks run out, the youngest sequence gives
/// its own back and starts again later.
///
/// Errors  the constructor: DeviceError, CudaError. Afterwards what the device refuses is tried again, and what it
///         fails is reported in the outcomes of the requests it concerns.
class Runtime {
 public:
  Runtime(std::shared_ptr<kvbm::Device> device, const std::vector<float>& weights, const RuntimeOptions& options);

  /// Answers all turns. `prompts` are those of the turns, with the conversation so far.
  [[nodiscard]] std::vector<Outcome> serve(const std::vector<Turn>& workload, const std::vector<Tokens>& prompts);

  /// Empties the cache. False if a block is missing from a tier.
  [[nodiscard]] bool clear() { return cache_.clear(); }

  [[nodiscard]] const RuntimeCounts& counts() const { return counts_; }
  [[nodiscard]] const Cache& cache() const { return cache_; }

 private:
  struct Request {
    std::uint32_t turn;
    kvbm::SchedulableSequence<kvbm::G1> sequence;
    std::optional<kvbm::Onboarding> prefix{};  ///< on its way; the sequence holds nothing yet
    Answer answer{};
    std::uint32_t rows = 0;  ///< of the step that is being made
    bool sampled = false;
    std::uint32_t failures = 0;  ///< in a row
  };
  using RequestPointer = std::unique_ptr<Request>;

  void prepare();
  void admit();
  [[nodiscard]] RequestPointer next_request();
  void take_prefixes();
  void take_prefix(Request& request);
  void make_step();
  [[nodiscard]] bool schedule(Request& request, std::uint32_t rows_left);
  [[nodiscard]] bool preempt_younger_than(const Request& request);
  void run_step();
  void apply(const StepOutputs& outputs);
  void revert(const std::string& reason);
  void wait_for_room();
  void end(std::size_t index, std::optional<std::string> failure);
  void fail_all(const std::string& reason);

  const RuntimeOptions options_;
  std::shared_ptr<kvbm::Device> device_;
  kvbm::Stream compute_;
  Cache cache_;
  StepRunner runner_;
  Step step_;
  RuntimeCounts counts_;

  // While serving.
  const std::vector<Turn>* workload_ = nullptr;
  const std::vector<Tokens>* prompts_ = nullptr;
  std::optional<Client> client_;
  std::vector<Outcome> outcomes_;
  std::vector<RequestPointer> running_;  // oldest first
  std::deque<RequestPointer> preempted_;
  std::vector<Request*> stepping_;  // those in step_, in its order
  bool settled_ = false;            // nothing has run since the tiers were settled
};

}  // namespace engine
