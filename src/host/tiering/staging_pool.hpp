#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/layout/block_layout.hpp"

namespace kvbm {

class StagingPages;

/// Pages that belong to neither tier: where victims of G1 wait until the blocks they change places with have left G2.
///
/// Threads  any.
class StagingPool : public std::enable_shared_from_this<StagingPool> {
 public:
  explicit StagingPool(std::shared_ptr<const BlockLayout> layout);

  [[nodiscard]] const std::shared_ptr<const BlockLayout>& layout() const noexcept { return layout_; }
  [[nodiscard]] std::uint32_t blocks() const noexcept { return layout_->config().blocks; }
  /// Up to `most` pages, as many as there are.
  [[nodiscard]] StagingPages take(std::uint32_t most);

 private:
  friend class StagingPages;
  void give_back(std::span<const BlockId> pages) noexcept;

  const std::shared_ptr<const BlockLayout> layout_;
  Mutex mutex_;
  std::vector<BlockId> unused_ KVBM_GUARDED_BY(mutex_);  // never grows beyond what it has reserved
};

/// The right to some staging pages. Shared with the copies that write and read them.
class StagingPages {
 public:
  StagingPages(std::shared_ptr<StagingPool> pool, std::vector<BlockId> pages) noexcept
      : pool_(std::move(pool)), pages_(std::move(pages)) {}
  StagingPages(StagingPages&&) noexcept = default;  // a moved-from one has no pages
  StagingPages& operator=(StagingPages other) noexcept {
    std::swap(pool_, other.pool_);
    std::swap(pages_, other.pages_);
    return *this;
  }
  ~StagingPages() {
    if (!pages_.empty()) pool_->give_back(pages_);
  }

  [[nodiscard]] std::span<const BlockId> ids() const noexcept { return pages_; }

 private:
  std::shared_ptr<StagingPool> pool_;
  std::vector<BlockId> pages_;
};

}  // namespace kvbm
