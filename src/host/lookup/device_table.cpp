#include "src/host/lookup/device_table.hpp"

#include <algorithm>
#include <cstring>

#include "kernels/table_update.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm {

using kernels::TableWord;

DeviceTable::DeviceTable(std::shared_ptr<Device> device)
    : device_(std::move(device)),
      stream_(device_, StreamPriority::Normal, "kvbm.table"),
      changed_(device_),
      staging_(allocate_pinned(device_, kWordsAtOnce * (sizeof(TableWord) + sizeof(std::uint32_t)))),
      device_staging_(allocate_device(device_, staging_.bytes())) {}

DeviceTable::~DeviceTable() {
  try {
    device_->synchronize(stream_.view());
  } catch (const DeviceError&) {  // a broken device changes nothing any more
  }
}

const TableWord* DeviceTable::words() const noexcept {
  KVBM_ASSERT(table_.has_value(), "the table has not been copied yet");
  return reinterpret_cast<const TableWord*>(table_->address());
}

/// What was staged before has been read.
void DeviceTable::wait_for_staging() { device_->synchronize(changed_.view()); }

void DeviceTable::apply(const TableChanges& changes, std::span<const TableWord> whole) {
  const bool all = changes.replaced || stale_;
  if (stale_) device_->synchronize(stream_.view());  // a call that failed may have left work without an event behind it
  stale_ = true;
  all ? replace(whole) : scatter(changes);
  stale_ = false;
}

void DeviceTable::replace(std::span<const TableWord> whole) {
  if (!table_ || table_->bytes() != whole.size_bytes()) {
    wait_for_staging();  // what goes to the old table has arrived, and so it may go
    table_.emplace(allocate_device(device_, whole.size_bytes()));
  }
  for (std::size_t first = 0; first < whole.size(); first += kWordsAtOnce) {
    const std::span<const TableWord> part = whole.subspan(first, std::min(kWordsAtOnce, whole.size() - first));
    wait_for_staging();
    std::memcpy(staging_.address(), part.data(), part.size_bytes());
    device_->copy(table_->address() + first * sizeof(TableWord), staging_.address(), part.size_bytes(), stream_.view());
    device_->record(changed_.view(), stream_.view());
  }
}

ChangeRoom DeviceTable::staged(std::size_t words) const noexcept {
  return {{reinterpret_cast<TableWord*>(staging_.address()), words},
          {reinterpret_cast<std::uint32_t*>(staging_.address() + words * sizeof(TableWord)), words}};
}

ChangeRoom DeviceTable::room(std::size_t words) noexcept {
  if (words == 0 || words > kWordsAtOnce || stale_) return {};
  try {
    wait_for_staging();
  } catch (const DeviceError&) {  // apply() will say so
    return {};
  }
  return staged(words);
}

void DeviceTable::scatter(const TableChanges& changes) {
  for (std::size_t first = 0; first < changes.places.size(); first += kWordsAtOnce) {
    const std::size_t count = std::min(kWordsAtOnce, changes.places.size() - first);
    const std::size_t word_bytes = count * sizeof(TableWord);
    const ChangeRoom room = staged(count);
    if (changes.words.data() != room.words.data()) {
      wait_for_staging();
      std::ranges::copy(changes.words.subspan(first, count), room.words.begin());
      std::ranges::copy(changes.places.subspan(first, count), room.places.begin());
    }
    const std::byte* const there = device_staging_.address();
    device_->copy(device_staging_.address(), staging_.address(), word_bytes + room.places.size_bytes(), stream_.view());
    device_->launch(kernels::table_update({reinterpret_cast<TableWord*>(table_->address()),
                                           reinterpret_cast<const std::uint32_t*>(there + word_bytes),
                                           reinterpret_cast<const TableWord*>(there), static_cast<std::uint32_t>(count),
                                           changes.epoch}),
                    stream_.view());
    device_->record(changed_.view(), stream_.view());
  }
}

}  // namespace kvbm
