#include "src/host/base/lock_order.hpp"

#include <algorithm>
#include <cstddef>
#include <cstdlib>
#include <functional>
#include <map>
#include <mutex>
#include <new>
#include <set>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"

namespace kvbm::lock_order {
namespace {

/// Memory past operator new: the check shows in no count of allocations, nor does it fail where those are made to.
template <class T>
struct Malloc {
  using value_type = T;
  Malloc() = default;
  template <class U>
  Malloc(const Malloc<U>& /*other*/) noexcept {}  // NOLINT(google-explicit-constructor): allocators convert
  [[nodiscard]] T* allocate(std::size_t count) const {
    if (void* const memory = std::malloc(count * sizeof(T))) return static_cast<T*>(memory);
    throw std::bad_alloc();
  }
  void deallocate(T* memory, std::size_t /*count*/) const noexcept { std::free(memory); }
  friend bool operator==(const Malloc&, const Malloc&) = default;
};

using Locks = std::set<const void*, std::less<>, Malloc<const void*>>;
using InnerByOuter = std::map<const void*, Locks, std::less<>, Malloc<std::pair<const void* const, Locks>>>;

struct Graph {
  std::mutex mutex;
  InnerByOuter taken_inside;
};

Graph& graph() {
  alignas(Graph) static std::byte memory[sizeof(Graph)];
  static Graph* const instance = new (memory) Graph;  // outlives all threads
  return *instance;
}

thread_local std::vector<const void*, Malloc<const void*>> held;

bool reaches(const Graph& graph, const void* from, const void* to, Locks& seen) {
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
      Locks seen;
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
