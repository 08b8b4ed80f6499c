#include "src/host/tiering/tiering_job.hpp"

namespace kvbm {

/// Lets the others go on, whichever way finish() ends.
class TieringJob::Settled {
 public:
  explicit Settled(TieringJob& job) noexcept : job_(job) {}
  Settled(const Settled&) = delete;
  Settled& operator=(const Settled&) = delete;
  ~Settled() {
    const Ticket ticket = std::move(job_.ticket_);
    job_.phase_.store(Over, std::memory_order_release);  // release: hands over what finish() wrote
    job_.phase_.notify_all();
  }

 private:
  TieringJob& job_;
};

void TieringJob::settle(TieringState& state) {
  std::uint32_t phase = UnderWay;
  // acquire: sees what finish() wrote
  if (!phase_.compare_exchange_strong(phase, Settling, std::memory_order_acquire)) {
    for (; phase != Over; phase = phase_.load(std::memory_order_acquire)) {
      phase_.wait(phase, std::memory_order_acquire);
    }
    return;
  }
  const Settled settled(*this);
  finish(state);
}

}  // namespace kvbm
