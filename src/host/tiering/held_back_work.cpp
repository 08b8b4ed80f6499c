#include "src/host/tiering/held_back_work.hpp"

#include <algorithm>

namespace kvbm {

HeldBackWork::Items HeldBackWork::add(Items one, std::size_t blocks_max) noexcept {
  Items beyond;
  blocks_ += one.front().work->size();
  items_.splice(items_.end(), one);
  while (blocks_ > blocks_max && items_.size() > 1) {
    blocks_ -= items_.front().work->size();
    beyond.splice(beyond.end(), items_, items_.begin());
  }
  return beyond;
}

HeldBackWork::Items::iterator HeldBackWork::place_of(const OffloadWork& work) noexcept {
  return std::find_if(items_.begin(), items_.end(), [&](const Item& item) { return item.work.get() == &work; });
}

HeldBackWork::Item* HeldBackWork::find(const OffloadWork& work) noexcept {
  const auto found = place_of(work);
  return found == items_.end() ? nullptr : &*found;
}

HeldBackWork::Items HeldBackWork::take(const OffloadWork& work) noexcept {
  Items taken;
  const auto found = place_of(work);
  if (found == items_.end()) return taken;
  blocks_ -= work.size();
  taken.splice(taken.end(), items_, found);
  return taken;
}

std::vector<std::shared_ptr<OffloadWork>> HeldBackWork::works() const {
  std::vector<std::shared_ptr<OffloadWork>> works;
  works.reserve(items_.size());
  for (const Item& item : items_) works.push_back(item.work);
  return works;
}

}  // namespace kvbm
