#include "tests/golden/conformance_handles.hpp"

namespace kvbm::conformance {

void HandleTable::add(const Json& handle, Guard guard) {
  const std::uint64_t number = natural(handle, "handle");
  if (!used_.insert(number).second) refuse(fmt::format("handle {} is used a second time", number));
  live_.emplace(number, std::move(guard));
}

Guard& HandleTable::any(const Json& handle) {
  const std::uint64_t number = natural(handle, "handle");
  const auto found = live_.find(number);
  if (found == live_.end()) {
    refuse(fmt::format("handle {} {}", number, used_.contains(number) ? "is no longer alive" : "is unknown"));
  }
  return found->second;
}

void HandleTable::drop(const Json& handle) {
  (void)any(handle);
  live_.erase(natural(handle, "handle"));
}

void HandleTable::refuse_kind(const Json& handle, const Guard& guard) {
  static constexpr const char* kKinds[] = {"mutable", "complete", "immutable", "weak", "pin"};
  refuse(fmt::format("handle {} is of the wrong kind: {}", natural(handle, "handle"), kKinds[guard.index()]));
}

}  // namespace kvbm::conformance
