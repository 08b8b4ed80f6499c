#pragma once

#include <cstdint>
#include <optional>
#include <unordered_map>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/tokens/token_block.hpp"
#include "tests/golden/conformance_comparison.hpp"
#include "tests/golden/conformance_json.hpp"

namespace kvbm::conformance {

/// The hashes a trace speaks of, by their indexes: a forest of blocks. From position 0 on they are those of real
/// tokens, which follow from the index.
class Universe {
 public:
  /// Reads the hashes of a trace's header, and compares each with the library's own: from the tokens where there are
  /// any, else packed from its recorded parts.
  /// Errors  std::invalid_argument; Difference.
  Universe(const Json& header, std::uint32_t block_size, Comparison& comparison);

  /// Errors  std::invalid_argument for anything but an index of this universe, here and below.
  [[nodiscard]] const SequenceHash& hash(const Json& index) const;
  [[nodiscard]] std::vector<SequenceHash> hashes(const Json& indexes) const;
  /// The first index that has the same hash as `index`.
  [[nodiscard]] std::uint64_t first_index(const Json& index) const;
  [[nodiscard]] std::vector<std::uint64_t> first_indexes(const Json& indexes) const;
  /// Precondition: the hash came from here.
  [[nodiscard]] std::uint64_t first_index(const SequenceHash& hash) const;

  /// Errors  std::invalid_argument in a universe without tokens.
  [[nodiscard]] TokenBlock block(const Json& index) const;

 private:
  struct Record {
    std::optional<std::size_t> parent;  // index
    std::uint64_t position, current;
    std::optional<std::uint64_t> parent_hash;
    SequenceHash hash;
  };
  [[nodiscard]] static Record read_record(const Json& record, std::size_t size);
  void compare(std::size_t index, Comparison& comparison) const;
  [[nodiscard]] TokenBlock make_block(std::size_t index) const;
  [[nodiscard]] std::size_t checked(const Json& index) const;

  std::uint32_t block_size_;
  std::uint64_t first_position_;
  std::uint64_t salt_;
  std::vector<Record> records_;
  std::unordered_map<SequenceHash, std::size_t> first_;
};

}  // namespace kvbm::conformance
