#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

namespace kvbm {

class TieringState;

/// A point in the work of a TieredCache: all that was submitted to it before, and what that leads to.
///
/// Made by   TieredCache::token, TieredCache::token_at.
/// Threads   any; copies name the same point.
/// Lifetime  may outlive the cache, and is of no use then.
class SettlementToken {
 public:
  /// For logs, and for those who cannot keep the token itself.
  [[nodiscard]] std::uint64_t number() const noexcept { return number_; }

 private:
  friend class TieredCache;
  SettlementToken(std::weak_ptr<const TieringState> of, std::uint64_t number) noexcept
      : of_(std::move(of)), number_(number) {}

  std::weak_ptr<const TieringState> of_;
  std::uint64_t number_;
};

/// Why a token says nothing about a cache.
struct SettlementError {
  enum class Code : std::uint8_t {
    Stale,     ///< its cache is gone
    Foreign,   ///< it is another cache's
    Overflow,  ///< its number is beyond all that the cache has given
  };
  Code code;
  std::string text;
};

}  // namespace kvbm
