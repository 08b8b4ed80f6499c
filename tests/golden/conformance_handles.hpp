#pragma once

#include <fmt/format.h>

#include <cstdint>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <variant>
#include <vector>

#include "kvbm/blocks/mutable_block.hpp"
#include "kvbm/blocks/weak_block.hpp"
#include "tests/golden/conformance_json.hpp"

namespace kvbm::conformance {

/// Whatever a handle of a recording may stand for.
using Guard = std::variant<MutableBlock<G1>, CompleteBlock<G1>, ImmutableBlock<G1>, WeakBlock<G1>, LifecyclePin>;

/// The live guards of a trace by their recorded handles. A handle names one guard in the whole trace.
/// Errors  std::invalid_argument for a handle that is unknown, of another kind, or given away a second time.
class HandleTable {
 public:
  void add(const Json& handle, Guard guard);
  /// One handle for each guard, in order.
  template <class Kind>
  void add_all(const Json& handles, std::vector<Kind>&& guards);

  [[nodiscard]] Guard& any(const Json& handle);
  template <class Kind>
  [[nodiscard]] Kind& get(const Json& handle);
  /// Ends the handle; its guard is the caller's.
  template <class Kind>
  [[nodiscard]] Kind take(const Json& handle);
  /// Ends the handle and drops its guard.
  void drop(const Json& handle);

 private:
  [[noreturn]] static void refuse_kind(const Json& handle, const Guard& guard);

  std::unordered_map<std::uint64_t, Guard> live_;
  std::unordered_set<std::uint64_t> used_;
};

template <class Kind>
void HandleTable::add_all(const Json& handles, std::vector<Kind>&& guards) {
  if (!handles.is_array() || handles.size() != guards.size()) {
    refuse(fmt::format("there is not one handle for each of {} results", guards.size()));
  }
  for (std::size_t i = 0; i < guards.size(); ++i) add(handles[i], std::move(guards[i]));
}

template <class Kind>
Kind& HandleTable::get(const Json& handle) {
  Guard& guard = any(handle);
  Kind* const found = std::get_if<Kind>(&guard);
  if (found == nullptr) refuse_kind(handle, guard);
  return *found;
}

template <class Kind>
Kind HandleTable::take(const Json& handle) {
  Kind taken = std::move(get<Kind>(handle));
  drop(handle);  // of what was moved from
  return taken;
}

}  // namespace kvbm::conformance
