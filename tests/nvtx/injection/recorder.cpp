// An NVTX injection library: writes down every range of every domain, a line each, in the file that the environment
// names in KVBM_NVTX_RECORD. A range's line is written when it begins, and one more when it ends:
//
//   push <domain> <name> <category> <payload>       pop <domain>
//   start <domain> <name> <category> <payload>      end <domain>
//   category <domain> <number> <name>
//   thread <name>

#include <nvtx3/nvToolsExt.h>

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>

namespace {

struct Recorder {
  std::mutex mutex;
  std::deque<std::string> names;  // of domains and strings; handles point to them
  std::uint64_t started = 0;
  std::FILE* file = nullptr;

  const std::string* name(const char* text) {
    const std::lock_guard lock(mutex);
    return &names.emplace_back(text);
  }
};

Recorder& recorder() {
  static auto* const made = new Recorder;  // outlives every range
  return *made;
}

void write(const std::string& line) {
  const std::lock_guard lock(recorder().mutex);
  std::fprintf(recorder().file, "%s\n", line.c_str());
  std::fflush(recorder().file);
}

const std::string& text_of(const void* handle) { return *static_cast<const std::string*>(handle); }

std::string described(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* attributes) {
  const bool registered = attributes->messageType == NVTX_MESSAGE_TYPE_REGISTERED;
  return text_of(domain) + " " + (registered ? text_of(attributes->message.registered) : "unregistered") + " " +
         std::to_string(attributes->category) + " " + std::to_string(attributes->payload.ullValue);
}

nvtxDomainHandle_t domain_create(const char* name) {
  return reinterpret_cast<nvtxDomainHandle_t>(const_cast<std::string*>(recorder().name(name)));
}
nvtxStringHandle_t register_string(nvtxDomainHandle_t, const char* name) {
  return reinterpret_cast<nvtxStringHandle_t>(const_cast<std::string*>(recorder().name(name)));
}
void name_category(nvtxDomainHandle_t domain, std::uint32_t category, const char* name) {
  write("category " + text_of(domain) + " " + std::to_string(category) + " " + name);
}
int push(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* attributes) {
  write("push " + described(domain, attributes));
  return 0;
}
int pop(nvtxDomainHandle_t domain) {
  write("pop " + text_of(domain));
  return 0;
}
nvtxRangeId_t start(nvtxDomainHandle_t domain, const nvtxEventAttributes_t* attributes) {
  write("start " + described(domain, attributes));
  const std::lock_guard lock(recorder().mutex);
  return ++recorder().started;
}
void end(nvtxDomainHandle_t domain, nvtxRangeId_t) { write("end " + text_of(domain)); }
void name_thread(std::uint32_t, const char* name) { write(std::string("thread ") + name); }

template <class Function>
void replace(NvtxFunctionTable table, unsigned int size, unsigned int place, Function function) {
  if (place < size) *table[place] = reinterpret_cast<NvtxFunctionPointer>(function);
}

}  // namespace

/// Called by NVTX when the first range is reached. 1: this library listens.
extern "C" __attribute__((visibility("default"))) int InitializeInjectionNvtx2(NvtxGetExportTableFunc_t export_table) {
  const char* const path = std::getenv("KVBM_NVTX_RECORD");
  const auto* const callbacks = static_cast<const NvtxExportTableCallbacks*>(export_table(NVTX_ETID_CALLBACKS));
  if (path == nullptr || callbacks == nullptr) return 0;
  recorder().file = std::fopen(path, "w");
  if (recorder().file == nullptr) return 0;

  NvtxFunctionTable table = nullptr;
  unsigned int size = 0;
  if (callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size) == 0) return 0;
  replace(table, size, NVTX_CBID_CORE_NameOsThreadA, &name_thread);
  if (callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE2, &table, &size) == 0) return 0;
  replace(table, size, NVTX_CBID_CORE2_DomainCreateA, &domain_create);
  replace(table, size, NVTX_CBID_CORE2_DomainRegisterStringA, &register_string);
  replace(table, size, NVTX_CBID_CORE2_DomainNameCategoryA, &name_category);
  replace(table, size, NVTX_CBID_CORE2_DomainRangePushEx, &push);
  replace(table, size, NVTX_CBID_CORE2_DomainRangePop, &pop);
  replace(table, size, NVTX_CBID_CORE2_DomainRangeStartEx, &start);
  replace(table, size, NVTX_CBID_CORE2_DomainRangeEnd, &end);
  return 1;
}
