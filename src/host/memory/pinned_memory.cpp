#include "kvbm/memory/pinned_memory.hpp"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <numeric>
#include <stdexcept>
#include <string>
#include <system_error>
#include <thread>
#include <utility>

#include "memory/huge_pages.hpp"
#include "memory/numa.hpp"
#include "memory/page_mapping.hpp"
#include "memory/text_file.hpp"

namespace kvbm {
namespace {

using Clock = std::chrono::steady_clock;

constexpr unsigned kThreadsMax = 16;
constexpr std::size_t kTouchBytes = std::size_t{64} << 20;  // what a thread takes on at a time

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A mapping and the pieces of it that a device has pinned. Its end unpins before it unmaps.
class PinnedMapping {
 public:
  PinnedMapping(std::shared_ptr<Device> device, std::size_t bytes, std::size_t page_bytes)
      : device_(std::move(device)), pages_(bytes, page_bytes) {}
  PinnedMapping(const PinnedMapping&) = delete;
  PinnedMapping& operator=(const PinnedMapping&) = delete;
  ~PinnedMapping() {
    bool all_unpinned = true;
    for (const std::size_t offset : pinned_) all_unpinned &= device_->unregister_host(pages_.address() + offset);
    if (!all_unpinned) pages_.leak();  // the device may still write there
  }

  [[nodiscard]] PageMapping& pages() noexcept { return pages_; }
  /// Pins a piece. Errors  DeviceError, std::bad_alloc; the pieces before stay pinned.
  void pin(std::size_t offset, std::size_t bytes) {
    pinned_.reserve(pinned_.size() + 1);
    device_->register_host(pages_.address() + offset, bytes);
    pinned_.push_back(offset);
  }

 private:
  std::shared_ptr<Device> device_;
  PageMapping pages_;
  std::vector<std::size_t> pinned_;
};

/// Pinned memory that the driver allocated.
struct DriverMemory {
  DriverMemory(std::shared_ptr<Device> on, std::size_t bytes, bool write_combined)
      : device(std::move(on)), address(static_cast<std::byte*>(device->allocate_pinned(bytes, write_combined))) {}
  DriverMemory(const DriverMemory&) = delete;
  DriverMemory& operator=(const DriverMemory&) = delete;
  ~DriverMemory() { device->release_pinned(address); }

  std::shared_ptr<Device> device;
  std::byte* address;
};

/// The most bytes one registration may have, so that its end is the border of a block and of a page.
std::size_t registration_bytes(std::size_t bytes, std::size_t page_bytes, const PinnedMemoryOptions& options) {
  if (bytes <= options.registration_bytes_max) return bytes;
  const std::size_t pages_per_step = options.block_bytes / std::gcd(options.block_bytes, page_bytes);
  const std::size_t steps = options.registration_bytes_max / page_bytes / pages_per_step;
  if (steps == 0) {
    throw std::invalid_argument("pinned memory: no registration of " + std::to_string(options.registration_bytes_max) +
                                " bytes ends with both a block of " + std::to_string(options.block_bytes) +
                                " bytes and a page of " + std::to_string(page_bytes));
  }
  return steps * pages_per_step * page_bytes;
}

/// The pool of huge pages to take memory from. Errors  std::system_error if one is required and none has enough.
std::optional<std::size_t> explicit_page(std::size_t bytes, const PinnedMemoryOptions& options) {
  if (options.huge_pages == HugePages::Disabled) return std::nullopt;
  const std::vector<HugePagePool> pools = huge_page_pools(options.system_root);
  const std::optional<std::size_t> page = huge_page_for(pools, bytes);
  if (page || options.huge_pages == HugePages::BestEffort) return page;
  std::string text = "pinned memory: no pool of huge pages has " + std::to_string(bytes) + " bytes";
  for (const HugePagePool& pool : pools) {
    text += "; of " + std::to_string(pool.page_bytes) + " bytes " + std::to_string(pool.pages_free) + " are free";
  }
  throw std::system_error(ENOMEM, std::generic_category(), text);
}

/// A mapping of the pages that the options ask for.
std::shared_ptr<PinnedMapping> mapped(const std::shared_ptr<Device>& device, std::size_t bytes,
                                      const PinnedMemoryOptions& options, PinnedMemoryReport& report) {
  if (const std::optional<std::size_t> page = explicit_page(bytes, options)) {
    try {
      auto mapping = std::make_shared<PinnedMapping>(device, bytes, *page);
      report.page_class = PageClass::ExplicitHuge;
      return mapping;
    } catch (const std::system_error&) {  // somebody else took them, or they are of other nodes than allowed
      if (options.huge_pages == HugePages::Required) throw;
    }
  }
  auto mapping = std::make_shared<PinnedMapping>(device, bytes, system_page_bytes());
  mapping->pages().advise_huge(options.huge_pages == HugePages::BestEffort);
  return mapping;
}

/// The CPUs that touch memory for this device: its share of those of the node. None if nothing is known.
std::vector<int> touching_cpus(const DeviceCapabilities& device, int node, const std::string& root) {
  std::vector<int> cpus = cpus_of_node(root, node);
  const std::vector<std::string> gpus = gpus_of_node(root, node);
  const auto own = std::find(gpus.begin(), gpus.end(), device.pci_address);
  if (own == gpus.end()) return cpus;
  return share_of_cpus(cpus, static_cast<std::size_t>(own - gpus.begin()), gpus.size());
}

unsigned thread_count(const std::vector<int>& cpus, std::size_t bytes, unsigned asked_for) {
  const std::size_t pieces = (bytes + kTouchBytes - 1) / kTouchBytes;
  const std::size_t usable = cpus.empty() ? std::thread::hardware_concurrency() : cpus.size();
  const std::size_t wanted = asked_for != 0 ? asked_for : std::min<std::size_t>(kThreadsMax, usable);
  return static_cast<unsigned>(std::clamp<std::size_t>(wanted, 1, pieces));
}

/// Puts pages behind the whole mapping, from threads on `cpus`, this one not among them: it stays where it was.
void touch(PageMapping& pages, const std::vector<int>& cpus, unsigned threads) {
  std::atomic<std::size_t> next = 0;
  const auto work = [&] {
    static_cast<void>(bind_thread(cpus));
    // relaxed: hands out numbers and guards no data
    for (std::size_t at; (at = next.fetch_add(kTouchBytes, std::memory_order_relaxed)) < pages.bytes();) {
      pages.populate(at, std::min(kTouchBytes, pages.bytes() - at));
    }
  };
  std::vector<std::jthread> workers;
  workers.reserve(threads);
  for (unsigned i = 0; i < threads; ++i) workers.emplace_back(work);
}

PageClass class_touched(const PageMapping& pages, const PinnedMemoryReport& report, const std::string& root) {
  if (report.page_class == PageClass::ExplicitHuge) return report.page_class;
  const auto begin = reinterpret_cast<std::uintptr_t>(pages.address());
  const std::optional<std::string> smaps = read_text_file(root + "/proc/self/smaps");
  const std::uint64_t huge = smaps ? transparent_huge_bytes(*smaps, begin, begin + pages.bytes()) : 0;
  return 2 * huge > pages.bytes() ? PageClass::TransparentHuge : PageClass::Ordinary;
}

Memory from_driver(const std::shared_ptr<Device>& device, std::size_t bytes, bool write_combined,
                   PinnedMemoryReport& report) {
  const Clock::time_point start = Clock::now();
  auto memory = std::make_shared<const DriverMemory>(device, bytes, write_combined);
  std::memset(memory->address, 0, bytes);
  report.bytes = bytes;
  report.from_driver = true;
  report.map_seconds = seconds_since(start);
  report.registrations = {{.offset = 0, .bytes = bytes, .numa_node = node_of_memory(memory->address, bytes)}};
  return Memory({.address = memory->address, .bytes = bytes, .kind = MemoryKind::Pinned}, memory);
}

Memory from_mapping(const std::shared_ptr<Device>& device, std::size_t bytes, const PinnedMemoryOptions& options,
                    PinnedMemoryReport& report) {
  Clock::time_point start = Clock::now();
  const auto mapping = mapped(device, bytes, options, report);
  PageMapping& pages = mapping->pages();
  const std::size_t registered_at_once = registration_bytes(bytes, pages.page_bytes(), options);
  report.bytes = pages.bytes();
  static_cast<void>(prefer_node(pages.address(), pages.bytes(), report.numa_node_wanted));
  report.map_seconds = seconds_since(start);

  start = Clock::now();
  const std::vector<int> cpus = touching_cpus(device->capabilities(), report.numa_node_wanted, options.system_root);
  report.threads = thread_count(cpus, pages.bytes(), options.threads);
  touch(pages, cpus, report.threads);
  report.touch_seconds = seconds_since(start);
  report.page_class = class_touched(pages, report, options.system_root);

  start = Clock::now();
  for (std::size_t offset = 0; offset < bytes; offset += registered_at_once) {
    const std::size_t size = std::min(registered_at_once, bytes - offset);
    mapping->pin(offset, size);
    report.registrations.push_back({.offset = offset, .bytes = size, .numa_node = -1});
  }
  report.register_seconds = seconds_since(start);
  for (PinnedMemoryReport::Registration& piece : report.registrations) {
    piece.numa_node = node_of_memory(pages.address() + piece.offset, piece.bytes);
  }
  return Memory({.address = pages.address(), .bytes = bytes, .kind = MemoryKind::Pinned}, mapping);
}

}  // namespace

Memory allocate_pinned(std::shared_ptr<Device> device, std::size_t bytes, const PinnedMemoryOptions& options,
                       PinnedMemoryReport* report) {
  if (bytes == 0) throw std::invalid_argument("pinned memory of 0 bytes");
  if (options.block_bytes == 0) throw std::invalid_argument("pinned memory for blocks of 0 bytes");
  PinnedMemoryReport made;
  made.numa_node_wanted = options.numa_node.value_or(device->capabilities().numa_node);
  const bool by_driver = options.write_combined || !device->capabilities().host_register;
  if (by_driver && options.huge_pages == HugePages::Required) {
    throw std::system_error(ENOTSUP, std::generic_category(), "pinned memory: the driver gives no huge pages");
  }
  Memory memory =
      by_driver ? from_driver(device, bytes, options.write_combined, made) : from_mapping(device, bytes, options, made);
  if (report != nullptr) *report = std::move(made);
  return memory;
}

}  // namespace kvbm
