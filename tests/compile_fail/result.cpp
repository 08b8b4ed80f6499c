// A Result cannot be dropped, and its value cannot be taken for a truth value by accident.
#include "kvbm/base/result.hpp"

enum class Refusal { Full };

kvbm::Result<int, Refusal> answer() { return 42; }

bool use() {
#if KVBM_CASE == 1  // fails: nodiscard
  answer();
#endif
#if KVBM_CASE == 2  // fails: (cannot convert|no viable conversion)
  const bool truth = answer();
#else
  const bool truth{answer()};
#endif
  return truth;
}
