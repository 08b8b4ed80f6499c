#pragma once

#include <cstdint>

#include "kernels/table_update.hpp"

namespace kvbm::kernels {

/// Puts one changed word where it belongs.
struct ScatterWord {
  TableUpdate update;

  KVBM_HOST_DEVICE void operator()(std::uint32_t i) const noexcept { update.table[update.places[i]] = update.words[i]; }
};

/// Sets one of the header's epochs.
struct MarkEpoch {
  TableUpdate update;
  bool finished;

  KVBM_HOST_DEVICE void operator()() const noexcept {
    (finished ? update.table->high : update.table->low) = update.epoch;
  }
};
static_assert(offsetof(PrefixTableHeader, begun) == offsetof(TableWord, low) &&
              offsetof(PrefixTableHeader, finished) == offsetof(TableWord, high));

}  // namespace kvbm::kernels
