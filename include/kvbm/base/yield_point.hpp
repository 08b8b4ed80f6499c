#pragma once

// Points at which the race explorer may let another thread go on, one before each step that other threads can see, and
// the bugs planted for it to find. They exist only in the build made for its tests.
#if defined(KVBM_RACE_EXPLORER)
namespace kvbm {

/// A thread's next step, and what must hold before it can be made.
struct YieldPoint {
  const char* step;
  bool (*possible)(const void* condition) = nullptr;  // null: always
  const void* condition = nullptr;
};

/// Set on the threads that the explorer runs; returns when the thread may make the step.
using YieldHook = void (*)(const YieldPoint&);
inline constinit thread_local YieldHook yield_hook = nullptr;

inline void yield(const char* step) {
  if (yield_hook != nullptr) yield_hook({step});
}

template <class Condition>
void yield_until(const char* step, const Condition& condition) {
  if (yield_hook == nullptr) return;
  yield_hook({step, [](const void* held) { return (*static_cast<const Condition*>(held))(); }, &condition});
}

enum class PlantedBug {
  None,
  ReleaseUnseen,     // the last drop releases without looking whether the block was pinned again
  StoreDespiteWeak,  // a run's last drop takes the short way although a weak block may pin meanwhile
  AnyGeneration,     // a weak block pins whatever is in its slot by now
};
inline PlantedBug planted_bug = PlantedBug::None;

}  // namespace kvbm

#define KVBM_YIELD(step) ::kvbm::yield(step)
#define KVBM_YIELD_UNTIL(step, condition) ::kvbm::yield_until(step, [&] { return condition; })
#define KVBM_PLANTED(bug) (::kvbm::planted_bug == ::kvbm::PlantedBug::bug)
#else
#define KVBM_YIELD(step) static_cast<void>(0)
#define KVBM_YIELD_UNTIL(step, condition) static_cast<void>(0)
#define KVBM_PLANTED(bug) false
#endif
