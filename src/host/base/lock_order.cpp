#include "src/host/base/lock_order.hpp"

#include <algorithm>
#include <map>
#include <mutex>
#include <set>
#include <vector>

#include "kvbm/base/assert.hpp"

namespace kvbm::lock_order {
namespace {

struct Graph {
  std::mutex mutex;
  std::map<const void*, std::set<const void*>> taken_inside;  // outer -> inner
};

Graph& graph() {
  static Graph* const instance = new Graph;  // outlives all threads
  return *instance;
}

thread_local std::vector<const void*> held;

bool reaches(const Graph& graph, const void* from, const void* to, std::set<const void*>& seen) {
  if (from == to) return true;
  const auto found = graph.taken_inside.find(from);
  if (!seen.insert(from).second || found == graph.taken_inside.end()) return false;
  return std::any_of(found->second.begin(), found->second.end(),
                     [&](const void* inner) { return reaches(graph, inner, to, seen); });
}

}  // namespace

void acquired(const void* mutex) noexcept {
  if (!held.empty()) {
    std::lock_guard lock(graph().mutex);
    for (const void* outer : held) {
      std::set<const void*> seen;
      KVBM_ASSERT(!reaches(graph(), mutex, outer, seen), "locks are taken in both orders");
      graph().taken_inside[outer].insert(mutex);
    }
  }
  held.push_back(mutex);
}

void released(const void* mutex) noexcept {
  const auto found = std::find(held.rbegin(), held.rend(), mutex);
  KVBM_ASSERT(found != held.rend(), "a lock is released that this thread does not hold");
  held.erase(std::next(found).base());
}

void forget(const void* mutex) noexcept {
  std::lock_guard lock(graph().mutex);
  graph().taken_inside.erase(mutex);
  for (auto& [outer, inner] : graph().taken_inside) inner.erase(mutex);
}

}  // namespace kvbm::lock_order
