#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "workload.hpp"

namespace engine {

/// Whoever sends the turns: in order, but none before the turn that it answers has ended.
class Client {
 public:
  explicit Client(const std::vector<Turn>& workload) : workload_(workload), states_(workload.size(), State::Unsent) {}

  /// The next turn that can be sent, which then counts as sent.
  [[nodiscard]] std::optional<std::uint32_t> send() {
    for (std::size_t i = first_unsent_; i < states_.size(); ++i) {
      const std::optional<std::uint32_t> previous = workload_[i].previous;
      if (states_[i] != State::Unsent || (previous && states_[*previous] != State::Ended)) continue;
      states_[i] = State::Sent;
      while (first_unsent_ < states_.size() && states_[first_unsent_] != State::Unsent) ++first_unsent_;
      return static_cast<std::uint32_t>(i);
    }
    return std::nullopt;
  }
  void end(std::uint32_t turn) {
    states_[turn] = State::Ended;
    ++ended_;
  }
  [[nodiscard]] bool all_ended() const { return ended_ == states_.size(); }

 private:
  enum class State : std::uint8_t { Unsent, Sent, Ended };

  const std::vector<Turn>& workload_;
  std::vector<State> states_;
  std::size_t first_unsent_ = 0;
  std::size_t ended_ = 0;
};

}  // namespace engine
