#include "src/host/tiering/staging_pool.hpp"

#include <algorithm>

namespace kvbm {

StagingPool::StagingPool(std::shared_ptr<const BlockLayout> layout) : layout_(std::move(layout)) {
  MutexLock lock(mutex_);
  unused_.reserve(blocks());
  for (BlockId page = blocks(); page-- > 0;) unused_.push_back(page);
}

StagingPages StagingPool::take(std::uint32_t most) {
  std::vector<BlockId> pages;
  pages.reserve(std::min(most, blocks()));
  {
    MutexLock lock(mutex_);
    for (; pages.size() < pages.capacity() && pages.size() < most && !unused_.empty(); unused_.pop_back()) {
      pages.push_back(unused_.back());
    }
  }
  return StagingPages(shared_from_this(), std::move(pages));
}

void StagingPool::give_back(std::span<const BlockId> pages) noexcept {
  MutexLock lock(mutex_);
  unused_.insert(unused_.end(), pages.begin(), pages.end());
}

}  // namespace kvbm
