#pragma once

/// KVBM_NVTX_RANGE("kvbm.verb") marks the rest of its scope in a profiler's timeline; nothing in builds without NVTX.
///
/// Cost  about a nanosecond with no profiler attached.
#if defined(KVBM_NVTX)
#include <nvtx3/nvtx3.hpp>

namespace kvbm {
struct NvtxDomain {
  static constexpr const char* name = "kvbm";
};
}  // namespace kvbm

#define KVBM_NVTX_RANGE(text)                                                          \
  static const ::nvtx3::registered_string_in<::kvbm::NvtxDomain> kvbm_nvtx_text{text}; \
  const ::nvtx3::scoped_range_in<::kvbm::NvtxDomain> kvbm_nvtx_range { kvbm_nvtx_text }
#else
#define KVBM_NVTX_RANGE(text) static_cast<void>(0)
#endif
