#pragma once

#include <array>
#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/transfer/transfer_engine.hpp"
#include "transfer/block_marks.hpp"
#include "transfer/host_lane.hpp"
#include "transfer/link.hpp"
#include "transfer/pooled_state.hpp"
#include "transfer/slot_pool.hpp"

namespace kvbm {

/// The engine behind its handle. Kept alive by Completions too, for their states live here.
///
/// Threads  any.
class TransferCore : public std::enable_shared_from_this<TransferCore> {
 public:
  /// Errors  as TransferEngine.
  TransferCore(std::shared_ptr<Device> device, const TransferEngineOptions& options);
  ~TransferCore();

  /// A state with one reference for the caller.
  [[nodiscard]] Result<TransferState*, TransferError> submit(TransferRequest&& request, bool may_wait);
  /// Before anybody else submits, both of these.
  void use_table(const MechanismTable& table) noexcept { table_ = table; }
  void use_warnings(std::function<void(std::string_view)> on_warning) noexcept { on_warning_ = std::move(on_warning); }

  void quiesce() { slots_.close(); }
  void resume() { slots_.open(); }
  /// Ends all threads. Nothing is submitted any more.
  void shut_down();
  [[nodiscard]] const std::shared_ptr<Device>& device() const noexcept { return device_; }
  [[nodiscard]] std::vector<PendingTransfer> pending_since(PendingTransfer::Time latest);

  // ---- for lanes ----
  /// Its first slice is about to be enqueued.
  void mark_submitted(TransferSlot& slot) noexcept;
  /// All of it has run, or never will. Wakes those who wait. The slot is gone with it.
  PooledState& end(TransferSlot& slot);
  /// What is left to do after end(), and takes longer: callbacks, guards.
  void settle(PooledState& state);

  // ---- for states ----
  void order_before(PooledState& state, std::optional<std::uint32_t> layer, StreamView stream);
  [[nodiscard]] bool cancel(PooledState& state);
  void take_back(PooledState& state) noexcept KVBM_EXCLUDES(mutex_);

 private:
  class Admission;
  class Use;
  using Checked = Result<TransferPlan, TransferError>;

  /// Tells once that unknown orders are taken to be equal.
  void warn_of_unknown_orders();
  [[nodiscard]] Checked checked_plan(TransferRequest& request);
  [[nodiscard]] std::unique_ptr<BlockMarks> take_marks() KVBM_EXCLUDES(mutex_);
  void give_marks(std::unique_ptr<BlockMarks> marks) KVBM_EXCLUDES(mutex_);
  void make_states(std::uint32_t count) KVBM_EXCLUDES(mutex_);
  /// More are made only if their Completions are kept. Errors  std::bad_alloc.
  [[nodiscard]] PooledState& lease_state() KVBM_EXCLUDES(mutex_);
  [[nodiscard]] Link& link(const TransferPlan& plan) noexcept;
  [[nodiscard]] HostLane& host_lane(TransferPriority priority) noexcept;
  [[nodiscard]] static bool on_host(const TransferPlan& plan) noexcept;
  void fill(TransferSlot& slot, const TransferRequest& request, const TransferPlan& plan);
  [[nodiscard]] PendingTransfer::WaitsFor awaited_by(const TransferSlot& slot);
  void fill_pairs(TransferSlot& chain, std::span<const BlockPair> blocks) noexcept;
  /// Makes the slot's dependency stand for all that the request waits for. Errors  DeviceError.
  void capture(TransferSlot& slot, const TransferRequest& request);
  void start(TransferSlot& slot);
  void unuse(TransferSlot& slot) noexcept;

  const std::shared_ptr<Device> device_;
  const std::size_t slot_bytes_;  // of a staging ring
  MechanismTable table_;
  std::function<void(std::string_view)> on_warning_;
  std::atomic<bool> warned_{false};  // of unknown orders
  SlotPool slots_;
  std::atomic<std::uint64_t> transfers_{0};  // submitted so far
  std::array<std::unique_ptr<Link>, MechanismTable::kDirections> links_;
  std::array<std::unique_ptr<HostLane>, 2> host_lanes_;

  Mutex mutex_;
  FreeStates free_states_ KVBM_GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<BlockMarks>> free_marks_ KVBM_GUARDED_BY(mutex_);
};

}  // namespace kvbm
