#include "tests/support/thread_faults.hpp"

#include <dlfcn.h>
#include <pthread.h>

#include <cerrno>

#include "tests/support/fault_countdown.hpp"

// A program's own pthread_create comes before that of the system, for the standard library too.

namespace kvbm::test {
namespace {

thread_local FaultCountdown countdown;

}  // namespace

ThreadFault::ThreadFault(std::size_t n) noexcept { countdown = FaultCountdown::from(n); }
ThreadFault::~ThreadFault() { countdown = {}; }
bool ThreadFault::fired() const noexcept { return countdown.fired(); }

}  // namespace kvbm::test

extern "C" int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                              void* argument) noexcept {
  using Create = int (*)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  static const auto create = reinterpret_cast<Create>(dlsym(RTLD_NEXT, "pthread_create"));
  return kvbm::test::countdown.reached() ? EAGAIN : create(thread, attributes, run, argument);
}
