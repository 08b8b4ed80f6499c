#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "bench/support/device_options.hpp"
#include "kvbm/lookup/prefix_index.hpp"

namespace kvbm::bench {

/// Who answers the look-ups of a replay.
enum class LookupKind : std::uint8_t {
  None,    ///< nobody: every request is matched in the store
  Host,    ///< a PrefixIndex, on one thread
  Device,  ///< a DevicePrefixIndex on a GPU or an emulated device
};

/// A look-up of several requests that arrived together, and what the look-ups of a replay cost.
///
/// Threads   one at a time.
/// Lifetime  refers to the manager.
class BatchedLookup {
 public:
  struct Costs {
    std::uint64_t lookups = 0;        ///< requests looked up
    std::uint64_t hinted_blocks = 0;  ///< found by look-ups
    double seconds = 0;               ///< of updates and look-ups
  };

  /// Errors  std::bad_alloc; DeviceError; std::runtime_error without the GPU that is wanted.
  BatchedLookup(LookupKind kind, const BlockManager<G1>& manager, const DeviceOptions& device = {});
  ~BatchedLookup();

  /// Brings the index up to date and looks all of these up. Precondition: no more blocks than 32 bits count.
  void look_up(std::span<const std::vector<SequenceHash>> requests);
  /// Hints for the prefix of the i-th of them.
  [[nodiscard]] std::span<const BlockHint> hints(std::size_t i) const noexcept;

  [[nodiscard]] const Costs& costs() const noexcept { return costs_; }
  /// Empty unless a device looks up.
  [[nodiscard]] const std::string& device_name() const noexcept { return device_name_; }

 private:
  class Index;
  template <class IndexType>
  class IndexOf;

  std::unique_ptr<Index> index_;
  std::vector<std::uint32_t> offsets_;
  std::vector<SequenceHash> hashes_;
  PrefixAnswers answers_;
  Costs costs_;
  std::string device_name_;
};

}  // namespace kvbm::bench
