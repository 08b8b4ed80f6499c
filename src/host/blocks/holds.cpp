#include "kvbm/blocks/block_size_mismatch.hpp"
#include "kvbm/blocks/exclusive_hold.hpp"
#include "kvbm/blocks/immutable_block.hpp"
#include "kvbm/blocks/lifecycle_pin.hpp"
#include "kvbm/blocks/run_hold.hpp"
#include "kvbm/blocks/shared_hold.hpp"
#include "kvbm/blocks/weak_hold.hpp"
#include "src/host/pools/block_store.hpp"

namespace kvbm {

std::string BlockSizeMismatch::text() const {
  return "block size mismatch: expected " + std::to_string(expected) + ", got " + std::to_string(actual);
}

void ExclusiveHold::unstage() noexcept { store_of(*store_).unstage({&id_, 1}); }

void ExclusiveHold::release_slot(StoreHead& store, BlockId id) noexcept { store_of(store).release_exclusive(id); }

void SharedHold::last_pin_dropped(StoreHead& store, BlockId id) noexcept { store_of(store).last_pin_dropped(id); }

LifecyclePin::~LifecyclePin() {
  // relaxed: a count for gauges; the pin itself orders the release
  if (live_) std::atomic_ref(hold_.slot().lifecycle_pins).fetch_sub(1, std::memory_order_relaxed);
}

ManagerId LifecyclePin::manager_id() const noexcept { return store_of(*hold_.store_head()).id(); }

std::size_t LifecyclePin::use_count() const noexcept { return kvbm::use_count(hold_); }

std::size_t use_count(const SharedHold& hold) noexcept { return store_of(*hold.store_head()).use_count(hold.id()); }

Registration registration_of(const SharedHold& hold) {
  return store_of(*hold.store_head()).registry().reference(hold.hash());
}

void set_evict_on_reset(const SharedHold& hold, bool reset) noexcept {
  store_of(*hold.store_head()).set_reset_on_release(hold.id(), reset);
}

WeakHold::WeakHold(const SharedHold& block)
    : store_(block.store_head()),
      id_(block.id()),
      generation_(BlockSlot::generation(load(block.slot().word))),
      registration_(registration_of(block)) {
  store_of(*store_).add_weak(id_);
}

WeakHold::WeakHold(const WeakHold& other) noexcept
    : store_(other.store_), id_(other.id_), generation_(other.generation_), registration_(other.registration_) {
  if (store_ != nullptr) store_of(*store_).copy_weak();
}

WeakHold& WeakHold::operator=(WeakHold other) noexcept {
  std::swap(store_, other.store_);
  std::swap(id_, other.id_);
  std::swap(generation_, other.generation_);
  registration_ = std::move(other.registration_);
  return *this;
}

WeakHold::~WeakHold() {
  if (store_ != nullptr) store_of(*store_).drop_weak();
}

BlockId WeakHold::find_by_hash() const noexcept { return store_of(*store_).upgrade(hash(), id_, generation_); }

RunHold RunHold::reserve(StoreHead* store, std::uint32_t capacity, Kind kind) {
  return store == nullptr ? RunHold(kind) : store_of(*store).reserve_run(capacity, kind);
}

void RunHold::add(ExclusiveHold&& block) noexcept {
  KVBM_ASSERT(block.store_head() == store_ && size_ < capacity_, "a block of another manager joins a run");
  ids_[size_++] = block.detach();
}

void RunHold::add(SharedHold&& block) noexcept {
  KVBM_ASSERT(block.store_head() == store_ && size_ < capacity_, "a block of another manager joins a run");
  ids_[size_++] = block.id();
  store_of(*store_).hold_once_more(block.id());
  SharedHold taken(std::move(block));  // its pin goes once the run holds the block
}

void RunHold::release() noexcept { store_of(*std::exchange(store_, nullptr)).release_run(*this); }

void RunHold::unstage() noexcept {
  if (store_ != nullptr) store_of(*store_).unstage(ids());
  kind_ = Kind::Mutable;
}

RunHold RunHold::split_off(std::uint32_t count) {
  if (count == 0) return std::move(*this);
  return store_ == nullptr ? RunHold(kind_) : store_of(*store_).split_off(*this, count);
}

void RunHold::append(RunHold& tail) {
  KVBM_ASSERT(&tail != this, "a run is appended to itself");
  if (tail.store_ == nullptr) return;
  if (store_ == nullptr) return swap(tail);
  store_of(*store_).append(*this, tail);
}

RunHold RunHold::share() const { return store_ == nullptr ? RunHold(kind_) : store_of(*store_).share(*this); }

std::vector<ExclusiveHold> RunHold::into_exclusive() && {
  std::vector<ExclusiveHold> holds;
  holds.reserve(size_);
  if (store_ == nullptr) return holds;
  for (const BlockId id : ids()) holds.emplace_back(*store_, id);
  store_of(*store_).dissolve(*this);
  return holds;
}

std::vector<SharedHold> RunHold::into_shared() && {
  std::vector<SharedHold> holds;
  holds.reserve(size_);
  if (store_ == nullptr) return holds;
  for (const BlockId id : ids()) holds.emplace_back(*store_, id);
  store_of(*store_).dissolve(*this);
  return holds;
}

}  // namespace kvbm
