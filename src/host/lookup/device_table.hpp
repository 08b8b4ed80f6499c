#pragma once

#include <memory>
#include <optional>

#include "kvbm/device/stream_owner.hpp"
#include "kvbm/memory/memory.hpp"
#include "src/host/lookup/table_mirror.hpp"

namespace kvbm {

/// A table's copy in a device's memory, changed on a stream of its own.
///
/// Threads   one at a time; no look-up may be under way while it changes, since a larger table takes the place of the
///           smaller one.
/// Lifetime  waits for its last change when it goes.
class DeviceTable final : public TableMirror {
 public:
  /// Errors  DeviceError, std::bad_alloc.
  explicit DeviceTable(std::shared_ptr<Device> device);
  ~DeviceTable() override;
  DeviceTable(const DeviceTable&) = delete;
  DeviceTable& operator=(const DeviceTable&) = delete;

  [[nodiscard]] ChangeRoom room(std::size_t words) noexcept override;
  void apply(const TableChanges& changes, std::span<const kernels::TableWord> whole) override;

  /// Precondition: apply() succeeded once.
  [[nodiscard]] const kernels::TableWord* words() const noexcept;
  /// In words.
  [[nodiscard]] std::size_t size() const noexcept { return table_->bytes() / sizeof(kernels::TableWord); }
  /// Recorded behind the last change: look-ups on other streams wait for it.
  [[nodiscard]] EventView changed() const noexcept { return changed_.view(); }

 private:
  static constexpr std::size_t kWordsAtOnce = 1u << 16;

  void replace(std::span<const kernels::TableWord> whole);
  void scatter(const TableChanges& changes);
  void wait_for_staging();
  /// The staging memory as so many words and their places behind them.
  [[nodiscard]] ChangeRoom staged(std::size_t words) const noexcept;

  std::shared_ptr<Device> device_;
  Stream stream_;
  Event changed_;
  Memory staging_;  // pinned: words, then places
  Memory device_staging_;
  std::optional<Memory> table_;
  bool stale_ = true;  // something did not get through
};

}  // namespace kvbm
