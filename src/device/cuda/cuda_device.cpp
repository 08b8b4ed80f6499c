#include "cuda/cuda_device.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>

#include "cuda/cuda_try.hpp"
#include "cuda/kernel_registration.hpp"
#include "kvbm/base/assert.hpp"
#include "kvbm/cuda/device_probe.hpp"
#include "memory/numa.hpp"

#if defined(KVBM_NVTX)
#include <nvtx3/nvToolsExtCudaRt.h>
#endif

namespace kvbm {
namespace {

constexpr int kBatchedCopySince = 12080;       // CUDA 12.8
constexpr std::size_t kBatchPiecesMax = 4096;  // far larger batches hang or fault (vllm#49276)

int attribute(cudaDeviceAttr which, int ordinal) {
  int value = 0;
  KVBM_CUDA_TRY(cudaDeviceGetAttribute(&value, which, ordinal));
  return value;
}

/// The driver's and this build's: both must know the call.
bool knows_batched_copy() {
  int driver = 0;
  KVBM_CUDA_TRY(cudaDriverGetVersion(&driver));
  return CUDART_VERSION >= kBatchedCopySince && driver >= kBatchedCopySince;
}

std::string pci_address_of(int ordinal) {
  std::array<char, 32> text{};
  KVBM_CUDA_TRY(cudaDeviceGetPCIBusId(text.data(), static_cast<int>(text.size()), ordinal));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return static_cast<char>(std::tolower(static_cast<unsigned char>(c))); });
  return text.data();
}

DeviceCapabilities capabilities_of(int ordinal, const CudaDeviceOptions& options) {
  cudaDeviceProp properties{};
  KVBM_CUDA_TRY(cudaGetDeviceProperties(&properties, ordinal));
  const std::string pci_address = pci_address_of(ordinal);
  const bool reaches_pageable = attribute(cudaDevAttrPageableMemoryAccessUsesHostPageTables, ordinal) != 0;
  // With addresses of its own for registered memory a device would break pages that span registrations.
  const bool registers = attribute(cudaDevAttrHostRegisterSupported, ordinal) != 0 &&
                         attribute(cudaDevAttrCanUseHostPointerForRegisteredMem, ordinal) != 0;
  return {.name = properties.name,
          .ordinal = ordinal,
          .pci_address = pci_address,
          .numa_node = node_of_pci_device("", pci_address),
          .multiprocessors = properties.multiProcessorCount,
          .memory_bytes = properties.totalGlobalMem,
          .emulated = false,
          .batched_copy = options.batched_copy && knows_batched_copy(),
          .bulk_copy = options.bulk_copy && properties.major >= 9,
          .coherent_host = options.coherent_host && reaches_pageable,
          .host_register = options.host_register && registers,
          .memory_pools = options.memory_pools && attribute(cudaDevAttrMemoryPoolsSupported, ordinal) != 0};
}

int highest_priority(int ordinal) {
  const CurrentDevice current(ordinal);
  int least = 0, greatest = 0;
  KVBM_CUDA_TRY(cudaDeviceGetStreamPriorityRange(&least, &greatest));
  return greatest;
}

cudaStream_t checked(StreamView stream) {
  if (stream.handle() == nullptr || stream.handle() == cudaStreamLegacy) {
    throw DeviceError(DeviceError::Kind::Refused, "the default stream is not for kvbm: make one");
  }
  return stream.handle();
}

void name_stream([[maybe_unused]] cudaStream_t stream, [[maybe_unused]] const char* name) noexcept {
#if defined(KVBM_NVTX)
  nvtxNameCudaStreamA(stream, name);
#endif
}

CopyBatch part_of(const CopyBatch& batch, std::size_t first, std::size_t count) noexcept {
  return {.targets = batch.targets.subspan(first, count),
          .sources = batch.sources.subspan(first, count),
          .bytes = batch.bytes.subspan(first, count)};
}

}  // namespace

// ---- the current device ----

CurrentDevice::CurrentDevice(int ordinal) {
  KVBM_CUDA_TRY(cudaGetDevice(&before_));
  if (before_ == ordinal) return;
  KVBM_CUDA_TRY(cudaSetDevice(ordinal));
  changed_ = true;
}

CurrentDevice::~CurrentDevice() {
  if (changed_) static_cast<void>(KVBM_CUDA_NOTHROW(cudaSetDevice(before_)));
}

Result<std::shared_ptr<Device>, NoDevice> open_cuda_device(int ordinal, CudaDeviceOptions options) {
  const DeviceProbe probe = probe_devices();
  if (probe.devices.empty()) return fail(NoDevice{probe.problem});
  if (ordinal < 0 || static_cast<std::size_t>(ordinal) >= probe.devices.size()) {
    return fail(NoDevice{"no device " + std::to_string(ordinal) + " among " + std::to_string(probe.devices.size())});
  }
  try {
    register_kernels();
    return std::shared_ptr<Device>(std::make_shared<CudaDevice>(ordinal, options));
  } catch (const CudaError& error) {  // there, and taken by somebody else, or broken
    return fail(NoDevice{error.what()});
  }
}

CudaDevice::CudaDevice(int ordinal, CudaDeviceOptions options)
    : capabilities_(capabilities_of(ordinal, options)), high_priority_(highest_priority(ordinal)) {}

void CudaDevice::throw_if_broken() const {
  if (!broken_.load(std::memory_order_relaxed)) return;  // relaxed: the text has a lock of its own
  const MutexLock lock(mutex_);
  throw DeviceError(DeviceError::Kind::Broken, broken_text_);
}

void CudaDevice::note_broken(const char* text) {
  const MutexLock lock(mutex_);
  if (broken_text_.empty()) broken_text_ = text;
  broken_.store(true, std::memory_order_relaxed);  // relaxed: as above
}

// ---- streams and events ----

StreamView CudaDevice::create_stream(StreamPriority priority, const char* name) {
  return run([&] {
    cudaStream_t stream = nullptr;
    const int level = priority == StreamPriority::High ? high_priority_ : 0;
    KVBM_CUDA_TRY(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, level));
    name_stream(stream, name);
    return StreamView(stream);
  });
}

void CudaDevice::destroy_stream(StreamView stream) noexcept {
  static_cast<void>(run_unthrowing([&] { return KVBM_CUDA_NOTHROW(cudaStreamDestroy(stream.handle())); }));
}

EventView CudaDevice::create_event() {
  return run([] {
    cudaEvent_t event = nullptr;
    KVBM_CUDA_TRY(cudaEventCreateWithFlags(&event, cudaEventDisableTiming | cudaEventBlockingSync));
    return EventView(event);
  });
}

void CudaDevice::destroy_event(EventView event) noexcept {
  static_cast<void>(run_unthrowing([&] { return KVBM_CUDA_NOTHROW(cudaEventDestroy(event.handle())); }));
}

void CudaDevice::record(EventView event, StreamView stream) {
  run([&] { KVBM_CUDA_TRY(cudaEventRecord(event.handle(), checked(stream))); });
}

void CudaDevice::wait(StreamView stream, EventView event) {
  run([&] { KVBM_CUDA_TRY(cudaStreamWaitEvent(checked(stream), event.handle(), 0)); });
}

bool CudaDevice::done(EventView event) {
  return run([&] {
    const cudaError_t code = cudaEventQuery(event.handle());
    if (code == cudaErrorNotReady) {
      static_cast<void>(cudaGetLastError());  // the runtime keeps it as if it were an error
      return false;
    }
    KVBM_CUDA_TRY(code);
    return true;
  });
}

void CudaDevice::synchronize(EventView event) {
  run([&] { KVBM_CUDA_TRY(cudaEventSynchronize(event.handle())); });
}

void CudaDevice::synchronize(StreamView stream) {
  const EventView event = create_event();  // whose wait sleeps; that for a stream spins
  try {
    record(event, stream);
    synchronize(event);
  } catch (...) {
    destroy_event(event);
    throw;
  }
  destroy_event(event);
}

// ---- work ----

void CudaDevice::copy(void* target, const void* source, std::size_t bytes, StreamView stream) {
  run([&] {
    cudaStream_t const on = checked(stream);
    if (bytes != 0) KVBM_CUDA_TRY(cudaMemcpyAsync(target, source, bytes, cudaMemcpyDefault, on));
  });
}

bool CudaDevice::copy_batch(const CopyBatch& batch, StreamView stream) {
  const std::size_t count = batch.bytes.size();
  KVBM_ASSERT(batch.targets.size() == count && batch.sources.size() == count, "the lists of a batch have one length");
  if (std::find(batch.bytes.begin(), batch.bytes.end(), 0u) != batch.bytes.end()) {
    throw DeviceError(DeviceError::Kind::Refused, "copy_batch: a copy of 0 bytes");
  }
  return run([&] {
    cudaStream_t const on = checked(stream);
    bool in_batches = capabilities_.batched_copy;
    for (std::size_t first = 0; first < count; first += kBatchPiecesMax) {
      const CopyBatch part = part_of(batch, first, std::min(kBatchPiecesMax, count - first));
      if (capabilities_.batched_copy && try_batch(part, on)) continue;
      in_batches = false;
      for (std::size_t i = 0; i < part.bytes.size(); ++i) {
        KVBM_CUDA_TRY(cudaMemcpyAsync(part.targets[i], part.sources[i], part.bytes[i], cudaMemcpyDefault, on));
      }
    }
    return in_batches;
  });
}

bool CudaDevice::try_batch([[maybe_unused]] const CopyBatch& batch, [[maybe_unused]] cudaStream_t stream) {
#if CUDART_VERSION >= 12080
  static std::array<std::size_t, kBatchPiecesMax> all_zero{};  // each copy has the first attributes; never written
  cudaMemcpyAttributes attributes{};
  attributes.srcAccessOrder = cudaMemcpySrcAccessOrderStream;
#if CUDART_VERSION >= 13000
  const cudaError_t code = cudaMemcpyBatchAsync(batch.targets.data(), batch.sources.data(), batch.bytes.data(),
                                                batch.bytes.size(), &attributes, all_zero.data(), 1, stream);
#else
  std::size_t failed = 0;
  const cudaError_t code =
      cudaMemcpyBatchAsync(const_cast<void**>(batch.targets.data()), const_cast<void**>(batch.sources.data()),
                           const_cast<std::size_t*>(batch.bytes.data()), batch.bytes.size(), &attributes,
                           all_zero.data(), 1, &failed, stream);
#endif
  if (code == cudaErrorNotSupported || code == cudaErrorInvalidValue) {
    static_cast<void>(cudaGetLastError());
    return false;
  }
  KVBM_CUDA_TRY(code);
  return true;
#else
  return false;
#endif
}

void CudaDevice::fill(void* target, std::uint8_t value, std::size_t bytes, StreamView stream) {
  run([&] {
    cudaStream_t const on = checked(stream);
    if (bytes != 0) KVBM_CUDA_TRY(cudaMemsetAsync(target, value, bytes, on));
  });
}

void CudaDevice::launch(const KernelCall& call, StreamView stream) {
  if (!call.runs_on_cuda()) {
    throw DeviceError(DeviceError::Kind::Refused, std::string(call.name()) + ": this kernel has no device code");
  }
  run([&] { call.launch(StreamView(checked(stream))); });
}

}  // namespace kvbm
