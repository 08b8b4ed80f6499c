#include "kvbm/base/assert.hpp"
#include "kvbm/base/mutex.hpp"

int main() {
  kvbm::Mutex mutex;
  const kvbm::MutexLock lock(mutex);
  KVBM_ASSERT(true, "links against the library");
}
