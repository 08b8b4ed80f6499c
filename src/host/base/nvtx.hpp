#pragma once

#include <cstdint>

/// Ranges in a profiler's timeline, in one domain, "kvbm". Nothing in builds without NVTX.
///
///   KVBM_NVTX_RANGE("kvbm.verb");                                 the rest of the scope
///   KVBM_NVTX_RANGE("kvbm.verb", NvtxCategory::Lookup, blocks);   with what it is about, and how many blocks or bytes
///   return KVBM_NVTX_OVER("kvbm.verb", NvtxCategory::Lookup, blocks, call());   the same for one call, cheaper
///   span = KVBM_NVTX_SPAN("kvbm.noun", NvtxCategory::Offload, bytes);   until the NvtxSpan ends, wherever that is
///
/// Threads  any; a range ends on the thread it began on, an NvtxSpan on any.
/// Cost     with no profiler attached: OVER 8 instructions, RANGE 14 to 19 (bench/measure, alloc64 and miss).
namespace kvbm {

enum class NvtxCategory : std::uint32_t { None, Lookup, Offload, Onboard, Evict, Io };

}  // namespace kvbm

#if defined(KVBM_NVTX)
#include <atomic>
#include <utility>

namespace kvbm {

/// What a range is called. One per place in the code, and constant-initialised: its first range registers it.
class NvtxName {
 public:
  explicit constexpr NvtxName(const char* text) noexcept : text_(text) {}

 private:
  friend struct Nvtx;
  const char* text_;
  std::atomic<void*> registered_{nullptr};
};

/// The way to the profiler, which is looked for once, when the first range is reached.
struct Nvtx {
  enum State : std::uint8_t { Unknown, Absent, Attached };
  static inline constinit std::atomic<std::uint8_t> state{Unknown};

  [[nodiscard]] static bool may_listen() noexcept {
    // relaxed: whoever finds out again finds the same
    return __builtin_expect(state.load(std::memory_order_relaxed) != Absent, 0);
  }
  /// Whether a profiler took the range.
  static bool push(NvtxName& name, NvtxCategory category, std::uint64_t payload) noexcept;
  static void pop() noexcept;
  /// 0: nobody listens.
  [[nodiscard]] static std::uint64_t start(NvtxName& name, NvtxCategory category, std::uint64_t payload) noexcept;
  static void end(std::uint64_t id) noexcept;
  static void name_thread(const char* name) noexcept;
};

/// A range that ends with its scope.
class [[maybe_unused]] NvtxRange {
 public:
  explicit NvtxRange(NvtxName& name, NvtxCategory category = NvtxCategory::None, std::uint64_t payload = 0) noexcept
      : pushed_(Nvtx::may_listen() && Nvtx::push(name, category, payload)) {}
  NvtxRange(const NvtxRange&) = delete;
  NvtxRange& operator=(const NvtxRange&) = delete;
  ~NvtxRange() {
    if (pushed_) Nvtx::pop();
  }

 private:
  bool pushed_;
};

/// A range that ends where its owner does, on whatever thread: a transfer.
class NvtxSpan {
 public:
  NvtxSpan() noexcept = default;
  explicit NvtxSpan(NvtxName& name, NvtxCategory category = NvtxCategory::None, std::uint64_t payload = 0) noexcept
      : id_(Nvtx::may_listen() ? Nvtx::start(name, category, payload) : 0) {}
  NvtxSpan(NvtxSpan&& other) noexcept : id_(std::exchange(other.id_, 0)) {}
  NvtxSpan& operator=(NvtxSpan&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  ~NvtxSpan() {
    if (id_ != 0) Nvtx::end(id_);
  }

 private:
  std::uint64_t id_ = 0;
};

}  // namespace kvbm

#define KVBM_NVTX_JOINED(name, line) name##line
#define KVBM_NVTX_UNIQUE(name, line) KVBM_NVTX_JOINED(name, line)
#define KVBM_NVTX_RANGE(text, ...)                                                     \
  static constinit ::kvbm::NvtxName KVBM_NVTX_UNIQUE(kvbm_nvtx_name_, __LINE__){text}; \
  const ::kvbm::NvtxRange KVBM_NVTX_UNIQUE(kvbm_nvtx_range_, __LINE__) {               \
    KVBM_NVTX_UNIQUE(kvbm_nvtx_name_, __LINE__) __VA_OPT__(, ) __VA_ARGS__             \
  }
#define KVBM_NVTX_OVER(text, category, payload, expression) \
  (::kvbm::Nvtx::may_listen() ? [&]() __attribute__((noinline, cold)) { \
    KVBM_NVTX_RANGE(text, category, payload);                           \
    return expression;                                                  \
  }() : (expression))
#define KVBM_NVTX_SPAN(text, category, payload)        \
  ([](std::uint64_t amount, ::kvbm::NvtxCategory of) { \
    static constinit ::kvbm::NvtxName name{text};      \
    return ::kvbm::NvtxSpan(name, of, amount);         \
  }(payload, category))
/// Names the calling thread.
#define KVBM_NVTX_THREAD(text) (::kvbm::Nvtx::may_listen() ? ::kvbm::Nvtx::name_thread(text) : static_cast<void>(0))
#else
namespace kvbm {

class NvtxSpan {};

}  // namespace kvbm

#define KVBM_NVTX_RANGE(text, ...) static_cast<void>(0)
#define KVBM_NVTX_OVER(text, category, payload, expression) (expression)
#define KVBM_NVTX_SPAN(text, category, payload) ::kvbm::NvtxSpan()
#define KVBM_NVTX_THREAD(text) static_cast<void>(0)
#endif
