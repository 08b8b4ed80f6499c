#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "kvbm/device/kernel_call.hpp"

namespace kvbm::test {

/// Memory for kernels and a place to run them: the CPU. The checks of this folder are written against a world; the
/// GPU's is in gpu_world.hpp.
class HostWorld {
 public:
  /// Aligned to 256. Kept as long as the world.
  std::byte* allocate(std::size_t bytes) {
    memory_.push_back(std::make_unique_for_overwrite<std::byte[]>(bytes + kAlignment));
    const auto start = reinterpret_cast<std::uintptr_t>(memory_.back().get());
    return memory_.back().get() + (kAlignment - start % kAlignment) % kAlignment;
  }
  /// Returns when it has run.
  void run(const KernelCall& call) { call.run_on_host(); }

 private:
  static constexpr std::size_t kAlignment = 256;
  std::vector<std::unique_ptr<std::byte[]>> memory_;
};

template <class T, class World>
T* copied_to(World& world, const std::vector<T>& values) {
  T* copy = reinterpret_cast<T*>(world.allocate(values.size() * sizeof(T)));
  std::uninitialized_copy(values.begin(), values.end(), copy);
  return copy;
}

}  // namespace kvbm::test
