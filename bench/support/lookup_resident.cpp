#include "bench/support/lookup_resident.hpp"

#include <cstring>

#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm::bench {
namespace {

constexpr std::size_t kBytesAtOnce = std::size_t{32} << 20;

}  // namespace

DeviceBench::DeviceBench(std::shared_ptr<Device> device)
    : device_(std::move(device)), stream_(device_, StreamPriority::Normal, "kvbm.bench"), reached_(device_) {}

Memory DeviceBench::allocate(std::size_t bytes) const {
  return allocate_device(device_, std::max<std::size_t>(bytes, 1));
}

Memory DeviceBench::allocate_zeroed(std::size_t bytes) const {
  Memory memory = allocate(bytes);
  fill(memory, 0);
  wait();
  return memory;
}

void DeviceBench::fill(const Memory& memory, std::uint8_t value) const {
  device_->fill(memory.address(), value, memory.bytes(), stream_.view());
}

void DeviceBench::spin() const {
  device_->record(reached_.view(), stream_.view());
  while (!device_->done(reached_.view())) {
  }
}

Contender DeviceBench::repeated(unsigned times, std::function<void()> enqueue) const {
  return {[this, times, enqueue = std::move(enqueue)] {
            for (unsigned i = 0; i < times; ++i) enqueue();
            spin();
          },
          times};
}

Memory DeviceBench::copy_of(const void* values, std::size_t bytes) const {
  Memory there = allocate(bytes);
  const Memory pinned = allocate_pinned(device_, std::min(bytes, kBytesAtOnce));
  for (std::size_t done = 0; done < bytes; done += kBytesAtOnce) {
    const std::size_t part = std::min(kBytesAtOnce, bytes - done);
    std::memcpy(pinned.address(), static_cast<const std::byte*>(values) + done, part);
    device_->copy(there.address() + done, pinned.address(), part, stream_.view());
    wait();
  }
  return there;
}

void DeviceBench::read(void* values, const Memory& from, std::size_t bytes) const {
  const Memory pinned = allocate_pinned(device_, std::min(bytes, kBytesAtOnce));
  for (std::size_t done = 0; done < bytes; done += kBytesAtOnce) {
    const std::size_t part = std::min(kBytesAtOnce, bytes - done);
    device_->copy(pinned.address(), from.address() + done, part, stream_.view());
    wait();
    std::memcpy(static_cast<std::byte*>(values) + done, pinned.address(), part);
  }
}

}  // namespace kvbm::bench
