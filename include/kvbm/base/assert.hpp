#pragma once

namespace kvbm {

/// Prints the broken condition and aborts. Never returns.
[[noreturn]] void assertion_failed(const char* condition, const char* message, const char* file, int line) noexcept;

}  // namespace kvbm

/// A bug in the caller or in kvbm: on in every build, since carrying on would hand out a page twice.
#define KVBM_ASSERT(condition, message)              \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::kvbm::assertion_failed(#condition, message, __FILE__, __LINE__))
