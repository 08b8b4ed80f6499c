#include "cuda/cuda_device.hpp"
#include "cuda/cuda_try.hpp"

namespace kvbm {
namespace {

void refuse_zero(std::size_t bytes, const char* call) {
  if (bytes == 0) throw DeviceError(DeviceError::Kind::Refused, std::string(call) + ": 0 bytes");
}

}  // namespace

void* CudaDevice::allocate(std::size_t bytes) {
  refuse_zero(bytes, "allocate");
  return run([&] {
    void* memory = nullptr;
    KVBM_CUDA_TRY(cudaMalloc(&memory, bytes));
    return memory;
  });
}

void CudaDevice::release(void* memory) noexcept {
  static_cast<void>(run_unthrowing([&] { return KVBM_CUDA_NOTHROW(cudaFree(memory)); }));
}

void* CudaDevice::allocate_pinned(std::size_t bytes, bool write_combined) {
  refuse_zero(bytes, "allocate_pinned");
  return run([&] {
    void* memory = nullptr;
    const unsigned flags =
        cudaHostAllocPortable | cudaHostAllocMapped | (write_combined ? cudaHostAllocWriteCombined : 0u);
    KVBM_CUDA_TRY(cudaHostAlloc(&memory, bytes, flags));
    return memory;
  });
}

void CudaDevice::release_pinned(void* memory) noexcept {
  static_cast<void>(run_unthrowing([&] { return KVBM_CUDA_NOTHROW(cudaFreeHost(memory)); }));
}

void CudaDevice::register_host(void* memory, std::size_t bytes) {
  refuse_zero(bytes, "register_host");
  if (!capabilities_.host_register) throw DeviceError(DeviceError::Kind::Refused, "register_host: not supported");
  run([&] { KVBM_CUDA_TRY(cudaHostRegister(memory, bytes, cudaHostRegisterPortable | cudaHostRegisterMapped)); });
}

bool CudaDevice::unregister_host(void* memory) noexcept {
  return run_unthrowing([&] { return KVBM_CUDA_NOTHROW(cudaHostUnregister(memory)); });
}

void* CudaDevice::device_address(void* pinned) {
  return run([&] {
    void* address = nullptr;
    KVBM_CUDA_TRY(cudaHostGetDevicePointer(&address, pinned, 0));
    return address;
  });
}

}  // namespace kvbm
