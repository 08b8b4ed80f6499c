#include "kvbm/events/change_log.hpp"

#include <algorithm>
#include <bit>

namespace kvbm {
namespace {

std::uint64_t get(const std::uint64_t& word) noexcept {
  // acquire: if this is a later record's word, then the check that follows sees that record announced
  return std::atomic_ref(const_cast<std::uint64_t&>(word)).load(std::memory_order_acquire);
}

}  // namespace

ChangeLog::ChangeLog(std::uint32_t capacity)
    : records_(new Record[std::bit_ceil(std::max<std::size_t>(capacity, 2))]()),
      begin_(records_.get()),
      end_(begin_ + std::bit_ceil(std::max<std::size_t>(capacity, 2))),
      place_(begin_) {}

ChangeReader::Outcome ChangeReader::read(std::span<Change> into) noexcept {
  const std::uint64_t capacity = log_->capacity();
  const std::uint64_t waiting = log_->next() - next_;
  if (waiting > capacity) return {0, true};
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(waiting, into.size()));
  for (std::size_t i = 0; i < count; ++i) {
    const ChangeLog::Record& record = log_->begin_[(next_ + i) & (capacity - 1)];
    const std::uint64_t what = get(record.what);
    const auto kind_and_id = static_cast<std::uint32_t>(what);
    into[i] = {next_ + i, SequenceHash::from_bits(get(record.high), get(record.low)),
               kind_and_id & ((1u << ChangeLog::kKindShift) - 1), static_cast<std::uint32_t>(what >> 32),
               static_cast<ChangeKind>(kind_and_id >> ChangeLog::kKindShift)};
  }
  // relaxed: see get()
  if (count != 0 && log_->announced_.load(std::memory_order_relaxed) - next_ > capacity) return {0, true};
  next_ += count;
  return {count, false};
}

}  // namespace kvbm
