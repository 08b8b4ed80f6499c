#pragma once

namespace kvbm::lock_order {

// The test build records in which order each thread takes locks, and aborts at the first pair taken in both orders:
// a deadlock that could happen is found without having to happen.

void acquired(const void* mutex) noexcept;
void released(const void* mutex) noexcept;
/// The mutex is destroyed; another may live at its address.
void forget(const void* mutex) noexcept;

}  // namespace kvbm::lock_order
