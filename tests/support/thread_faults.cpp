#include "tests/support/thread_faults.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

// A program's own pthread_create comes before that of the system, for the standard library too.

namespace kvbm::test {
namespace {

struct Countdown {
  bool armed = false;
  bool fired = false;
  std::size_t left = 0;
};
thread_local Countdown countdown;

bool refuses_thread() noexcept {
  if (!countdown.armed) return false;
  if (countdown.left != 0) {
    --countdown.left;
    return false;
  }
  return countdown.fired = true;
}

}  // namespace

ThreadFault::ThreadFault(std::size_t n) noexcept { countdown = {.armed = true, .fired = false, .left = n}; }
ThreadFault::~ThreadFault() { countdown = {}; }
bool ThreadFault::fired() const noexcept { return countdown.fired; }

}  // namespace kvbm::test

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return kvbm::test::refuses_thread() ? EAGAIN : create(thread, attributes, run, argument);
}
