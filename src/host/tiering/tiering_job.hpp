#pragma once

#include <atomic>
#include <cstdint>

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

 private:
  enum Phase : std::uint32_t { kUnderWay, kSettling, kSettled };
  class Settled;

  virtual void finish(TieringState& state) = 0;

  std::atomic<std::uint32_t> phase_{kUnderWay};
};

}  // namespace kvbm
