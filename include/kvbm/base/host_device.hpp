#pragma once

/// Marks a function that host code and CUDA kernels share. Any compiler may see it.
#if defined(__CUDACC__)
#define KVBM_HOST_DEVICE __host__ __device__ __forceinline__
#else
#define KVBM_HOST_DEVICE inline
#endif
