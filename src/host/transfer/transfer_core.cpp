#include "transfer/transfer_core.hpp"

#include <algorithm>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/nvtx.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/device/device_error.hpp"
#include "transfer/check_request.hpp"
#include "transfer/error_text.hpp"
#include "transfer/peer_copy.hpp"
#include "transfer/transfer_box.hpp"
#include "transfer/transfer_thread.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;

[[maybe_unused]] NvtxCategory category_of(Direction direction) noexcept {
  if (direction == Direction::DeviceToHost) return NvtxCategory::Offload;
  return direction == Direction::HostToDevice ? NvtxCategory::Onboard : NvtxCategory::Io;
}

const TransferEngineOptions& checked(const TransferEngineOptions& options) {
  const auto positive = [](const char* name, std::uint64_t value) {
    if (value == 0) throw std::invalid_argument(std::string(name) + " must be positive");
  };
  positive("transfers_max", options.transfers_max);
  positive("blocks_max", options.blocks_max);
  positive("bytes_in_flight_max", options.bytes_in_flight_max);
  positive("staging_slots", options.staging_slots);
  return options;
}

/// Two rings share the bytes. A slot begins where bulk copies may begin.
std::size_t slot_bytes_of(const TransferEngineOptions& options) noexcept {
  constexpr std::size_t kAlign = 16;
  return options.staging_bytes / 2 / options.staging_slots / kAlign * kAlign;
}

std::optional<StagingRing> device_ring(const std::shared_ptr<Device>& device, std::size_t slot_bytes,
                                       std::uint32_t slots) {
  if (slot_bytes == 0) return std::nullopt;
  Memory memory = allocate_device(device, slot_bytes * slots);
  std::byte* const address = memory.address();
  return std::optional<StagingRing>(std::in_place, device, std::move(memory), address, slots);
}

}  // namespace

/// Slots of a transfer that may come to nothing.
class TransferCore::Admission {
 public:
  Admission(SlotPool& pool, TransferSlot* slots) noexcept : pool_(&pool), slots_(slots) {}
  Admission(const Admission&) = delete;
  Admission& operator=(const Admission&) = delete;
  ~Admission() {
    if (pool_ == nullptr) return;
    if (slots_ != nullptr) {
      slots_->source.reset();
      slots_->target.reset();
    }
    pool_->give_back(slots_);
    pool_->dismiss();
  }
  [[nodiscard]] TransferSlot* slots() const noexcept { return slots_; }
  void keep() noexcept { pool_ = nullptr; }

 private:
  SlotPool* pool_;  // null: kept
  TransferSlot* slots_;
};

/// One more user of a slot that is under way.
class TransferCore::Use {
 public:
  Use(TransferCore& core, TransferSlot& slot) noexcept : core_(core), slot_(slot) {}
  Use(const Use&) = delete;
  Use& operator=(const Use&) = delete;
  ~Use() { core_.unuse(slot_); }

 private:
  TransferCore& core_;
  TransferSlot& slot_;
};

TransferCore::TransferCore(std::shared_ptr<Device> device, const TransferEngineOptions& options)
    : device_(std::move(device)),
      slot_bytes_(slot_bytes_of(checked(options))),
      table_(MechanismTable::built_in()),
      slots_(device_, options.transfers_max, options.blocks_max) {
  const auto lanes = static_cast<std::uint32_t>(2 * links_.size() + host_lanes_.size());
  make_states(options.transfers_max + lanes);  // a lane may be about to give one back when its slot is taken again
  const auto kernels_of = [&](Direction direction) {
    return kernel_limits(direction, device_->capabilities(), options.kernel_grid_max);
  };
  for (const Direction direction : {Direction::HostToDevice, Direction::DeviceToHost, Direction::DeviceToDevice}) {
    const bool over_link = direction != Direction::DeviceToDevice;
    links_[static_cast<std::size_t>(direction)] = std::make_unique<Link>(
        *this, device_,
        Link::Options{direction, over_link ? options.bytes_in_flight_max : UINT64_MAX,
                      over_link ? device_ring(device_, slot_bytes_, options.staging_slots) : std::nullopt,
                      kernels_of(direction)});
  }
  for (auto& lane : host_lanes_) {
    lane = std::make_unique<HostLane>(*this, device_,
                                      HostLane::Options{slot_bytes_ * options.staging_slots, options.staging_slots,
                                                        kernels_of(Direction::HostToDevice)});
  }
}

void TransferCore::make_states(std::uint32_t count) {
  const MutexLock lock(mutex_);
  for (std::uint32_t i = 0; i < count; ++i) free_states_.push(*new PooledState());
}

TransferCore::~TransferCore() = default;

void TransferCore::shut_down() {
  slots_.close();
  for (auto& link : links_) link.reset();
  for (auto& lane : host_lanes_) lane.reset();
}

std::unique_ptr<BlockMarks> TransferCore::take_marks() {
  {
    const MutexLock lock(mutex_);
    if (!free_marks_.empty()) {
      std::unique_ptr<BlockMarks> marks = std::move(free_marks_.back());
      free_marks_.pop_back();
      return marks;
    }
  }
  return std::make_unique<BlockMarks>();
}

void TransferCore::give_marks(std::unique_ptr<BlockMarks> marks) {
  const MutexLock lock(mutex_);
  free_marks_.push_back(std::move(marks));
}

Result<TransferPlan, TransferError> TransferCore::checked_plan(TransferRequest& request) {
  KVBM_NVTX_RANGE("kvbm.plan", NvtxCategory::None, request.blocks.size());
  std::unique_ptr<BlockMarks> marks = take_marks();
  auto checked = check_request(request, device_.get(), *marks);
  give_marks(std::move(marks));
  if (!checked) return fail(checked.error());
  const PlanningContext context{device_->capabilities(), table_, slot_bytes_};
  if (reaches_peer(request, device_.get())) return plan_peer_copy(request, device_.get(), context);
  return plan_transfer(request, context);
}

void TransferCore::warn_of_unknown_orders() {
  // relaxed: whoever is first tells; nothing else depends on it
  if (!on_warning_ || warned_.load(std::memory_order_relaxed) || warned_.exchange(true, std::memory_order_relaxed)) {
    return;
  }
  KVBM_NVTX_RANGE("kvbm.warn");
  on_warning_("the inner orders of both layouts of a transfer are unknown, and taken to be equal");
}

PooledState& TransferCore::lease_state() {
  PooledState* state = nullptr;
  {
    const MutexLock lock(mutex_);
    state = free_states_.pop();
  }
  if (state == nullptr) state = new PooledState();
  state->lease(shared_from_this());
  return *state;
}

void TransferCore::take_back(PooledState& state) noexcept {
  const MutexLock lock(mutex_);
  free_states_.push(state);
}

Link& TransferCore::link(const TransferPlan& plan) noexcept {
  return *links_[static_cast<std::size_t>(plan.strategy.direction)];
}

HostLane& TransferCore::host_lane(TransferPriority priority) noexcept {
  return *host_lanes_[static_cast<std::size_t>(priority)];
}

bool TransferCore::on_host(const TransferPlan& plan) noexcept {
  return plan.strategy.path == TransferPath::HostCopy || plan.strategy.path == TransferPath::ThroughPinned;
}

Result<TransferState*, TransferError> TransferCore::submit(TransferRequest&& request, bool may_wait) {
  KVBM_ASSERT(request.source != nullptr && request.target != nullptr, "a request names two layouts");
  KVBM_NVTX_RANGE("kvbm.submit", NvtxCategory::None, request.blocks.size());
  const auto queued = std::chrono::steady_clock::now();
  auto plan = checked_plan(request);
  if (!plan) return fail(std::move(plan).error());
  if (plan->source.order == InnerOrder::Unknown) warn_of_unknown_orders();
  const bool empty = request.blocks.empty() || plan->layers.size() == 0;
  const std::size_t pieces =
      empty ? 0 : (request.blocks.size() + slots_.blocks_per_slot() - 1) / slots_.blocks_per_slot();
  if (pieces > slots_.size()) {
    return refuse(Code::Unsupported, std::to_string(request.blocks.size()) + " blocks are more than " +
                                         std::to_string(slots_.size()) + " transfers of " +
                                         std::to_string(slots_.blocks_per_slot()) + " together may have");
  }
  auto admitted = slots_.admit(static_cast<std::uint32_t>(pieces), may_wait && !on_transfer_thread);
  if (!admitted) {
    return refuse(admitted.error(), admitted.error() == Code::Quiesced ? "the engine is quiesced"
                                                                       : "transfers_max transfers are under way");
  }
  Admission admission(slots_, *admitted);
  const char* step = "making ready";
  Code code = Code::DeviceFailed;
  try {
    if (!empty) {
      fill(*admission.slots(), request, *plan);
      step = "waiting for what the request names";
      code = Code::Precondition;
      capture(*admission.slots(), request);
    }
  } catch (const DeviceError& error) {
    if (error.kind() == DeviceError::Kind::Broken) code = Code::DeviceFailed;
    return refuse(code, transfer_text(plan->mechanism, request.source->memory_kind(), request.target->memory_kind(),
                                      request.blocks.size()) +
                            from_block_text(request.blocks.front()) + ": " + step + ": " + error.what());
  }
  PooledState& state = lease_state();
  admission.keep();  // nothing fails from here on
  state.keepalive = std::move(request.keepalive);
  state.outcome.queued = queued;
  state.outcome.mechanism = plan->mechanism;
  state.outcome.bytes = empty ? 0 : request.blocks.size() * plan->block_bytes();
  state.add_reference();  // the engine's
  if (empty) {
    state.outcome.submitted = state.outcome.done = queued;
    state.end();
    settle(state);
  } else {
    TransferSlot& slot = *admission.slots();
    slot.state = &state;
    slot.queued = queued;
    slot.number = transfers_.fetch_add(1, std::memory_order_relaxed) + 1;  // relaxed: only to be told apart
    slot.users.store(1, std::memory_order_release);  // release: those who look at what is pending see all of it
    state.attach(slot);
    start(slot);
  }
  return static_cast<TransferState*>(&state);
}

void TransferCore::fill(TransferSlot& slot, const TransferRequest& request, const TransferPlan& plan) {
  slot.plan = plan;
  slot.source = request.source;
  slot.target = request.target;
  slot.priority = request.priority;
  slot.total_blocks = static_cast<std::uint32_t>(request.blocks.size());
  slot.layer_event_count = request.layer_events && !on_host(plan) ? plan.layers.size() : 0;
  while (slot.layer_events.size() < slot.layer_event_count) slot.layer_events.emplace_back(device_);
  fill_pairs(slot, request.blocks);
  slot.cursor = slot.start();
  slot.bytes_left = request.blocks.size() * plan.block_bytes();
  slot.slices_in_flight = 0;
  slot.forced = slot.enqueued = slot.cancelled = slot.has_dependency = false;
  slot.batches_taken = true;
  slot.last_slice = nullptr;
  slot.source_kind = request.source->memory_kind();
  slot.target_kind = request.target->memory_kind();
  slot.submitted.store({}, std::memory_order_relaxed);  // relaxed, both: nobody shares it yet
  slot.ended.store(false, std::memory_order_relaxed);
  if (!on_host(plan)) link(plan).prepare(slot);
}

void TransferCore::fill_pairs(TransferSlot& chain, std::span<const BlockPair> blocks) noexcept {
  const TransferPlan& plan = chain.plan;
  const bool from_host = plan.strategy.direction == Direction::HostToDevice;
  for (TransferSlot* piece = &chain; piece != nullptr; piece = piece->next_piece) {
    piece->count = static_cast<std::uint32_t>(std::min<std::size_t>(blocks.size(), slots_.blocks_per_slot()));
    std::copy_n(blocks.begin(), piece->count, piece->pairs);
    for (std::uint32_t i = 0; plan.uses_ring() && i < piece->count; ++i) {
      const BlockId place = i % plan.batch.blocks;
      piece->staged_pairs[i] = from_host ? BlockPair{place, blocks[i].target} : BlockPair{blocks[i].source, place};
    }
    blocks = blocks.subspan(piece->count);
  }
}

void TransferCore::capture(TransferSlot& slot, const TransferRequest& request) {
  slot.has_dependency = !request.after_streams.empty() || !request.after_events.empty();
  if (!slot.has_dependency) return;
  const EventView all = slot.dependency.view();
  if (request.after_streams.size() == 1 && request.after_events.empty()) {
    device_->record(all, request.after_streams.front());
    return;
  }
  // Caught now, since the events may be recorded anew before the transfer's turn comes.
  const StreamView gather =
      on_host(slot.plan) ? host_lane(slot.priority).gather() : link(slot.plan).gather(slot.priority);
  for (const StreamView stream : request.after_streams) {
    device_->record(all, stream);
    device_->wait(gather, all);
  }
  for (const EventView event : request.after_events) device_->wait(gather, event);
  device_->record(all, gather);
}

void TransferCore::start(TransferSlot& slot) {
  slot.span = KVBM_NVTX_SPAN("kvbm.transfer", category_of(slot.plan.strategy.direction), slot.bytes_left);
  if (on_host(slot.plan)) {
    host_lane(slot.priority).submit(slot);
  } else {
    link(slot.plan).submit(slot);
  }
}

void TransferCore::mark_submitted(TransferSlot& slot) noexcept {
  slot.state->outcome.submitted = std::chrono::steady_clock::now();
  slot.submitted.store(slot.state->outcome.submitted, std::memory_order_relaxed);  // relaxed: it stands for itself
}

std::vector<PendingTransfer> TransferCore::pending_since(PendingTransfer::Time latest) {
  std::vector<PendingTransfer> pending;
  slots_.for_each([&](TransferSlot& slot) {
    if (!slot.use_if_taken()) return;
    const Use use(*this, slot);
    // relaxed, both: they stand for themselves
    if (slot.ended.load(std::memory_order_relaxed) || slot.queued > latest) return;
    const PendingTransfer::Time submitted = slot.submitted.load(std::memory_order_relaxed);
    const bool is_submitted = submitted != PendingTransfer::Time();
    pending.push_back({.number = slot.number,
                       .source = slot.source_kind,
                       .target = slot.target_kind,
                       .priority = slot.priority,
                       .mechanism = slot.plan.mechanism,
                       .blocks = slot.total_blocks,
                       .bytes = slot.total_blocks * slot.plan.block_bytes(),
                       .queued = slot.queued,
                       .submitted = is_submitted ? std::optional(submitted) : std::nullopt,
                       .waits_for = is_submitted ? awaited_by(slot) : PendingTransfer::WaitsFor::Turn});
  });
  std::sort(pending.begin(), pending.end(),
            [](const PendingTransfer& a, const PendingTransfer& b) { return a.number < b.number; });
  return pending;
}

PendingTransfer::WaitsFor TransferCore::awaited_by(const TransferSlot& slot) {
  try {
    if (slot.has_dependency && !device_->done(slot.dependency.view())) return PendingTransfer::WaitsFor::Precondition;
  } catch (const DeviceError&) {  // it is broken: the transfer is about to fail
  }
  return PendingTransfer::WaitsFor::Bytes;
}

PooledState& TransferCore::end(TransferSlot& slot) {
  PooledState& state = *slot.state;
  state.outcome.error = std::move(slot.error);
  if (state.outcome.mechanism == Mechanism::BatchedCopy && !slot.batches_taken) {
    state.outcome.mechanism = Mechanism::Copies;
  }
  state.outcome.done = std::chrono::steady_clock::now();
  if (state.outcome.submitted == TransferOutcome::Time{}) state.outcome.submitted = state.outcome.done;  // given up
  state.detach();
  slot.ended.store(true, std::memory_order_relaxed);  // relaxed: whoever has looked already told what was so
  slot.span = NvtxSpan();
  slot.error.reset();
  slot.source.reset();
  slot.target.reset();
  unuse(slot);
  state.end();
  return state;
}

void TransferCore::settle(PooledState& state) {
  state.run_callbacks();
  state.drop_reference();
  slots_.dismiss();
}

void TransferCore::unuse(TransferSlot& slot) noexcept {
  // acquire and release: the next transfer comes after all that others did with the slot
  if (slot.users.fetch_sub(1, std::memory_order_acq_rel) == 1) slots_.give_back(&slot);
}

void TransferCore::order_before(PooledState& state, std::optional<std::uint32_t> layer, StreamView stream) {
  TransferSlot* const slot = state.use_slot();
  if (slot == nullptr) return;  // nothing of it is under way any more
  const Use use(*this, *slot);
  const TransferPlan& plan = slot->plan;
  if (layer) {
    KVBM_ASSERT(*layer >= plan.layers.begin && *layer < plan.layers.end, "a layer of the request");
    KVBM_ASSERT(slot->layerwise() || on_host(plan), "the request asked for layer events");
  }
  if (on_host(plan)) return state.wait();
  if (!link(plan).force(*slot)) return;  // it has failed, and no event tells when
  device_->wait(stream, layer ? slot->layer_events[*layer - plan.layers.begin].view() : slot->last_slice->event.view());
}

bool TransferCore::cancel(PooledState& state) {
  TransferSlot* const slot = state.use_slot();
  if (slot == nullptr) {
    state.wait();  // it is about to be ended
    return state.cancelled();
  }
  const Use use(*this, *slot);
  return on_host(slot->plan) ? host_lane(slot->priority).cancel(*slot) : link(slot->plan).cancel(*slot);
}

}  // namespace kvbm
