#include "src/host/tiering/tiering_job.hpp"

namespace kvbm {

/// Lets the others go on, whichever way finish() ends.
class TieringJob::Settled {
 public:
  explicit Settled(std::atomic<std::uint32_t>& phase) noexcept : phase_(phase) {}
  Settled(const Settled&) = delete;
  Settled& operator=(const Settled&) = delete;
  ~Settled() {
    phase_.store(kSettled, std::memory_order_release);  // release: hands over what finish() wrote
    phase_.notify_all();
  }

 private:
  std::atomic<std::uint32_t>& phase_;
};

void TieringJob::settle(TieringState& state) {
  std::uint32_t phase = kUnderWay;
  // acquire: sees what finish() wrote
  if (!phase_.compare_exchange_strong(phase, kSettling, std::memory_order_acquire)) {
    for (; phase != kSettled; phase = phase_.load(std::memory_order_acquire)) {
      phase_.wait(phase, std::memory_order_acquire);
    }
    return;
  }
  const Settled settled(phase_);
  finish(state);
}

}  // namespace kvbm
