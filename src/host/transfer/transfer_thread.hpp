#pragma once

namespace kvbm {

/// Set on the threads of lanes, which must not wait for room that they themselves make.
inline thread_local bool on_transfer_thread = false;

}  // namespace kvbm
