#pragma once

#include <cstdint>

namespace kvbm {

/// Names one slot, and so one page, within one manager: 0 .. blocks - 1.
using BlockId = std::uint32_t;

/// No block: a miss in a scattered match, the end of an intrusive list.
inline constexpr BlockId kNoBlock = 0xFFFF'FFFFu;

/// Identity of one manager within the process. Never reused; 0 is never handed out.
struct ManagerId {
  std::uint64_t value = 0;

  friend constexpr bool operator==(ManagerId, ManagerId) = default;
};

/// Where pages live. A tier is a type, so that a block of one tier cannot be passed where another is wanted.
/// Any other type serves as a tier just as well; nothing is ever called on it.
struct G1 {};  ///< GPU memory
struct G2 {};  ///< pinned host memory
struct G3 {};  ///< local disk
struct G4 {};  ///< an external service

/// Tier as a value: equal for equal tier types, different for different ones.
using TierKey = const void*;

namespace tier_key_storage {
template <class Tier>
inline constexpr char kAddress = 0;
}

template <class Tier>
[[nodiscard]] constexpr TierKey tier_key() noexcept {
  return &tier_key_storage::kAddress<Tier>;
}

/// What happens to a block whose hash is registered already.
enum class DuplicationPolicy : std::uint8_t {
  Allow,   ///< keep it as a second copy, which lives as long as it is held (usual in G1)
  Reject,  ///< give its slot back and return the block that has the hash (usual in lower tiers)
};

}  // namespace kvbm
