#include "kernels/launch_table.hpp"

#include <atomic>

namespace kvbm::kernels {
namespace {

constexpr LaunchTable kNoLaunchers{};
std::atomic<const LaunchTable*> current{&kNoLaunchers};

}  // namespace

// Release and acquire: whoever sees the pointer sees the table.
const LaunchTable& launch_table() noexcept { return *current.load(std::memory_order_acquire); }

void set_launch_table(const LaunchTable& table) noexcept { current.store(&table, std::memory_order_release); }

}  // namespace kvbm::kernels
