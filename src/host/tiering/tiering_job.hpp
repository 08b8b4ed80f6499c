#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include "src/host/tiering/tickets.hpp"

namespace kvbm {

class TieringState;

/// Copies under way, and what is to be done when they have arrived.
///
/// Threads  any; whoever comes first settles, the others wait for it.
class TieringJob {
 public:
  TieringJob() = default;
  TieringJob(const TieringJob&) = delete;
  TieringJob& operator=(const TieringJob&) = delete;
  virtual ~TieringJob() = default;

  /// Whether settle() would not wait for a copy.
  [[nodiscard]] virtual bool arrived() const noexcept = 0;
  /// Waits for the copies, and registers what they brought or gives it up.
  void settle(TieringState& state);
  /// Some of those who wanted it may have given it up. If all have, it drops what is not enqueued. Returns whether it
  /// did.
  virtual bool drop_if_unwanted() { return false; }

 protected:
  /// Until it has settled. Before anybody else may settle it.
  void hold(Ticket ticket) noexcept { ticket_ = std::move(ticket); }
  /// For what follows from it.
  [[nodiscard]] Ticket share_ticket() const noexcept { return ticket_.share(); }

 private:
  enum Phase : std::uint32_t { UnderWay, Settling, Over };
  class Settled;

  virtual void finish(TieringState& state) = 0;

  std::atomic<std::uint32_t> phase_{UnderWay};
  Ticket ticket_;
};

}  // namespace kvbm
