#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>

#include "kvbm/transfer/transfer_request.hpp"
#include "transfer/strategy.hpp"

namespace kvbm {

/// A set of mechanisms.
class MechanismSet {
 public:
  constexpr MechanismSet() = default;
  constexpr MechanismSet(std::initializer_list<Mechanism> members) {
    for (const Mechanism member : members) insert(member);
  }
  constexpr void insert(Mechanism mechanism) noexcept { bits_ |= bit(mechanism); }
  constexpr void erase(Mechanism mechanism) noexcept { bits_ &= ~bit(mechanism); }
  [[nodiscard]] constexpr bool contains(Mechanism mechanism) const noexcept { return (bits_ & bit(mechanism)) != 0; }

 private:
  static constexpr std::uint32_t bit(Mechanism mechanism) noexcept { return 1u << static_cast<unsigned>(mechanism); }

  std::uint32_t bits_ = 0;
};

/// How long each mechanism takes for `count` spans of one size in one direction, measured at some points. A transfer
/// costs something to begin with, and something for each span and byte, so times are linear between neighbouring
/// points, and beyond the last ones too.
///
/// Units  microseconds.
class MechanismTable {
 public:
  static constexpr std::array<std::size_t, 6> kSpanBytes{4u << 10,   16u << 10, 64u << 10,
                                                         256u << 10, 1u << 20,  4u << 20};
  static constexpr std::array<std::uint32_t, 5> kCounts{1, 16, 256, 4096, 16384};
  static constexpr std::array<Mechanism, 5> kMechanisms{
      Mechanism::Copies, Mechanism::BatchedCopy, Mechanism::CopyKernel, Mechanism::BulkCopyKernel, Mechanism::Staged};
  static constexpr std::size_t kDirections = 3;  // those a device takes part in
  /// Spans from here on take the copy engine, which reaches its full rate with them.
  static constexpr std::size_t kEngineBytes = 1u << 20;

  /// From a cost model, for devices that were not measured.
  [[nodiscard]] static MechanismTable built_in() noexcept;

  /// Precondition: count is not 0.
  [[nodiscard]] double time(Direction direction, Mechanism mechanism, std::size_t span_bytes,
                            std::uint64_t count) const noexcept;
  /// The fastest of `possible`, the first in the order of kMechanisms among equals. Precondition: there is one.
  [[nodiscard]] Mechanism choose(Direction direction, std::size_t span_bytes, std::uint64_t count,
                                 MechanismSet possible) const noexcept;
  void set(Direction direction, Mechanism mechanism, std::size_t size_index, std::size_t count_index,
           double microseconds) noexcept;

 private:
  using Grid = std::array<std::array<double, kCounts.size()>, kSpanBytes.size()>;

  [[nodiscard]] const Grid& grid(Direction direction, Mechanism mechanism) const noexcept;

  std::array<std::array<Grid, kMechanisms.size()>, kDirections> times_{};
};

}  // namespace kvbm
