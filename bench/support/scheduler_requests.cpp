#include "bench/support/scheduler_requests.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace kvbm::bench {
namespace {

std::uint64_t mixed(std::uint64_t number) noexcept {
  number = (number ^ (number >> 32)) * 0x9E37'79B9'7F4A'7C15u;
  number = (number ^ (number >> 29)) * 0xD6E8'FEB8'6659'FD93u;
  return number ^ (number >> 32);
}

/// Where the tokens of answers begin, so that they are none of any prompt's.
constexpr std::uint64_t kAnswers = std::uint64_t{1} << 63;

}  // namespace

std::uint64_t SimulatedRequest::output(const RequestShape& shape) const noexcept {
  return std::max<std::uint64_t>(shape.output_tokens.value_or(request_->output_tokens), 1);
}

std::vector<Token> SimulatedRequest::prompt() const {
  std::vector<Token> tokens(request_->input_tokens);
  for (std::uint64_t i = 0; i < tokens.size();) {
    const std::uint64_t first = mixed(request_->ids[i / tokens_per_id_] + 1);
    const std::uint64_t end = std::min<std::uint64_t>(i + tokens_per_id_, tokens.size());
    for (std::uint64_t next = first; i < end; ++i, next += 0x9E37'79B9)
      tokens[i] = static_cast<Token>(next ^ first >> 32);
  }
  return tokens;
}

Token SimulatedRequest::answer(std::uint64_t generated) const noexcept {
  return static_cast<Token>(mixed(kAnswers + (number_ << 24) + generated));
}

Result<std::vector<SimulatedRequest>, TraceError> simulated_requests(std::span<const TraceRequest> trace,
                                                                     const RequestShape& shape) {
  std::vector<SimulatedRequest> requests;
  requests.reserve(trace.size());
  for (const TraceRequest& request : trace) {
    const std::uint64_t ids = request.ids.size();
    if (request.input_tokens / shape.tokens_per_id + (request.input_tokens % shape.tokens_per_id != 0) > ids) {
      return fail(TraceError{0, fmt::format("request {} has {} input tokens, more than its {} ids stand for",
                                            requests.size() + 1, request.input_tokens, ids)});
    }
    requests.emplace_back(request, requests.size(), shape);
  }
  std::stable_sort(requests.begin(), requests.end(),
                   [](const auto& a, const auto& b) { return a.arrival_us() < b.arrival_us(); });
  return requests;
}

}  // namespace kvbm::bench
