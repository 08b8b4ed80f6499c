#include "base/nvtx.hpp"

#if defined(KVBM_NVTX)
#include <nvtx3/nvToolsExt.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace kvbm {
namespace {

constexpr struct {
  NvtxCategory category;
  const char* name;
} kCategories[] = {{NvtxCategory::Lookup, "lookup"},
                   {NvtxCategory::Offload, "offload"},
                   {NvtxCategory::Onboard, "onboard"},
                   {NvtxCategory::Evict, "evict"},
                   {NvtxCategory::Io, "io"}};

nvtxDomainHandle_t make_domain() noexcept {
  nvtxDomainHandle_t const domain = nvtxDomainCreateA("kvbm");
  // relaxed: the flag guards nothing; whoever misses it asks for the domain and waits here
  Nvtx::state.store(domain == nullptr ? Nvtx::Absent : Nvtx::Attached, std::memory_order_relaxed);
  for (const auto& each : kCategories) {
    if (domain != nullptr) nvtxDomainNameCategoryA(domain, static_cast<std::uint32_t>(each.category), each.name);
  }
  return domain;
}

/// Null: no profiler is attached. The first call looks for one.
nvtxDomainHandle_t domain() noexcept {
  static nvtxDomainHandle_t const made = make_domain();
  return made;
}

/// A handle for a name, the same whoever registers it. relaxed: the profiler orders its own data.
nvtxStringHandle_t registered(std::atomic<void*>& place, const char* text) noexcept {
  void* handle = place.load(std::memory_order_relaxed);
  if (handle == nullptr) {
    handle = nvtxDomainRegisterStringA(domain(), text);
    place.store(handle, std::memory_order_relaxed);
  }
  return static_cast<nvtxStringHandle_t>(handle);
}

nvtxEventAttributes_t attributes_of(nvtxStringHandle_t name, NvtxCategory category, std::uint64_t payload) noexcept {
  nvtxEventAttributes_t attributes{};
  attributes.version = NVTX_VERSION;
  attributes.size = NVTX_EVENT_ATTRIB_STRUCT_SIZE;
  attributes.category = static_cast<std::uint32_t>(category);
  attributes.payloadType = NVTX_PAYLOAD_TYPE_UNSIGNED_INT64;
  attributes.payload.ullValue = payload;
  attributes.messageType = NVTX_MESSAGE_TYPE_REGISTERED;
  attributes.message.registered = name;
  return attributes;
}

}  // namespace

bool Nvtx::push(NvtxName& name, NvtxCategory category, std::uint64_t payload) noexcept {
  if (domain() == nullptr) return false;
  const nvtxEventAttributes_t attributes = attributes_of(registered(name.registered_, name.text_), category, payload);
  nvtxDomainRangePushEx(domain(), &attributes);
  return true;
}

void Nvtx::pop() noexcept { nvtxDomainRangePop(domain()); }

std::uint64_t Nvtx::start(NvtxName& name, NvtxCategory category, std::uint64_t payload) noexcept {
  if (domain() == nullptr) return 0;
  const nvtxEventAttributes_t attributes = attributes_of(registered(name.registered_, name.text_), category, payload);
  return nvtxDomainRangeStartEx(domain(), &attributes);
}

void Nvtx::end(std::uint64_t id) noexcept { nvtxDomainRangeEnd(domain(), id); }

void Nvtx::name_thread(const char* name) noexcept {
  if (domain() != nullptr) nvtxNameOsThreadA(static_cast<std::uint32_t>(syscall(SYS_gettid)), name);
}

}  // namespace kvbm
#endif
