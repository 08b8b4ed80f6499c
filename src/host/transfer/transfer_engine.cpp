#include "kvbm/transfer/transfer_engine.hpp"

#include <utility>

#include "transfer/calibration.hpp"
#include "transfer/transfer_core.hpp"

namespace kvbm {

TransferEngine::TransferEngine(std::shared_ptr<Device> device, TransferEngineOptions options)
    : core_(std::make_shared<TransferCore>(std::move(device), options)) {
  if (options.calibrate) {
    try {
      core_->use_table(calibrated_table(*core_));
    } catch (...) {
      core_->shut_down();
      throw;
    }
  }
  core_->use_warnings(std::move(options.on_warning));
}

TransferEngine::~TransferEngine() { core_->shut_down(); }

Result<Completion, TransferError> TransferEngine::submit(TransferRequest&& request) {
  auto state = core_->submit(std::move(request), true);
  if (!state) return fail(std::move(state).error());
  return Completion(*state);
}

Result<Completion, TransferError> TransferEngine::try_submit(TransferRequest&& request) {
  auto state = core_->submit(std::move(request), false);
  if (!state) return fail(std::move(state).error());
  return Completion(*state);
}

void TransferEngine::quiesce() { core_->quiesce(); }

void TransferEngine::resume() { core_->resume(); }

std::vector<PendingTransfer> TransferEngine::pending_since(PendingTransfer::Time latest) const {
  return core_->pending_since(latest);
}

const std::shared_ptr<Device>& TransferEngine::device() const noexcept { return core_->device(); }

}  // namespace kvbm
