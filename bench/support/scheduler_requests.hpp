#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "bench/support/trace_reader.hpp"
#include "kvbm/tokens/block_hash.hpp"

namespace kvbm::bench {

/// When the requests of a trace arrive, and how much they generate.
struct RequestShape {
  std::uint64_t tokens_per_id = 512;
  std::optional<double> per_second{};            ///< evenly spaced; absent: when the trace says
  std::optional<std::uint64_t> output_tokens{};  ///< absent: as many as the trace says
};

/// A request of a trace on its way to a scheduler, with tokens made of its ids, since a trace has none.
///
/// Lifetime  refers to the trace.
class SimulatedRequest {
 public:
  /// Precondition: the request's ids cover its input tokens.
  SimulatedRequest(const TraceRequest& request, std::uint64_t number, const RequestShape& shape) noexcept
      : request_(&request), number_(number), tokens_per_id_(shape.tokens_per_id), output_tokens_(output(shape)) {
    arrival_us_ = shape.per_second ? static_cast<std::uint64_t>(1e6 * static_cast<double>(number) / *shape.per_second)
                                   : 1000 * request.arrival_ms;
  }

  [[nodiscard]] std::uint64_t arrival_us() const noexcept { return arrival_us_; }
  [[nodiscard]] std::uint64_t input_tokens() const noexcept { return request_->input_tokens; }
  [[nodiscard]] std::uint64_t output_tokens() const noexcept { return output_tokens_; }

  /// The prompt: equal ids are equal tokens, different ones differ.
  [[nodiscard]] std::vector<Token> prompt() const;
  /// What the model says next, after `generated` tokens; no two requests say the same.
  [[nodiscard]] Token answer(std::uint64_t generated) const noexcept;

 private:
  /// At least one token, since whoever asks for none is not served.
  [[nodiscard]] std::uint64_t output(const RequestShape& shape) const noexcept;

  const TraceRequest* request_;
  std::uint64_t number_;
  std::uint64_t tokens_per_id_;
  std::uint64_t output_tokens_;
  std::uint64_t arrival_us_;
};

/// All requests by arrival. Errors  TraceError naming the first request whose ids do not cover its tokens.
[[nodiscard]] Result<std::vector<SimulatedRequest>, TraceError> simulated_requests(std::span<const TraceRequest> trace,
                                                                                   const RequestShape& shape);

}  // namespace kvbm::bench
