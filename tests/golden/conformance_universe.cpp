#include "tests/golden/conformance_universe.hpp"

#include <string>
#include <utility>

namespace kvbm::conformance {
namespace {

std::string hex(std::uint64_t value) { return fmt::format("{:016x}", value); }
std::string hex(const SequenceHash& hash) { return hex(hash.high()) + hex(hash.low()); }
std::string hex(const std::optional<std::uint64_t>& value) { return value ? hex(*value) : "null"; }

}  // namespace

Universe::Universe(const Json& header, std::uint32_t block_size, Comparison& comparison)
    : block_size_(block_size),
      first_position_(natural(field(header, "base_pos"), "base_pos")),
      salt_(hex64(field(header, "salt"), "salt")) {
  const Json& hashes = list_field(header, "hashes");
  for (const Json& record : hashes) records_.push_back(read_record(record, hashes.size()));
  for (std::size_t i = 0; i < records_.size(); ++i) {
    compare(i, comparison);
    first_.emplace(records_[i].hash, i);
  }
}

Universe::Record Universe::read_record(const Json& record, std::size_t size) {
  if (!record.is_array() || record.size() != 5) refuse("\"hashes\" holds something else than lists of five");
  Record read{};
  if (const std::int64_t parent = integer(record[0], "hashes"); parent != -1) {
    if (parent < 0 || static_cast<std::uint64_t>(parent) >= size) refuse(fmt::format("no parent {}", parent));
    read.parent = static_cast<std::size_t>(parent);
  }
  const Bits128 bits = hex128(record[1], "hashes");
  read.hash = SequenceHash::from_bits(bits.high, bits.low);
  read.position = natural(record[2], "hashes");
  read.current = hex64(record[3], "hashes");
  if (!record[4].is_null()) read.parent_hash = hex64(record[4], "hashes");
  return read;
}

void Universe::compare(std::size_t index, Comparison& comparison) const {
  const Record& record = records_[index];
  const auto name = [&](const char* part) { return fmt::format("hashes[{}] {}", index, part); };
  const std::uint64_t position = record.parent ? records_[*record.parent].position + 1 : first_position_;
  comparison.same(name("position"), record.position, position);
  if (record.parent || first_position_ == 0) {
    const auto parent = record.parent ? std::optional(records_[*record.parent].current) : std::nullopt;
    comparison.same(name("parent hash"), hex(record.parent_hash), hex(parent));
  }
  const SequenceHash got = first_position_ == 0 ? make_block(index).hash()
                                                : SequenceHash(record.current, record.parent_hash, record.position);
  comparison.same(name("current hash"), hex(record.current), hex(got.current()));
  comparison.same(name("lineage hash"), hex(record.hash), hex(got));
}

std::size_t Universe::checked(const Json& index) const {
  const std::uint64_t number = natural(index, "x");
  if (number >= records_.size()) refuse(fmt::format("index {} of {} hashes", number, records_.size()));
  return number;
}

const SequenceHash& Universe::hash(const Json& index) const { return records_[checked(index)].hash; }

std::vector<SequenceHash> Universe::hashes(const Json& indexes) const {
  std::vector<SequenceHash> found;
  if (!indexes.is_array()) refuse("\"x\" is not a list");
  for (const Json& index : indexes) found.push_back(hash(index));
  return found;
}

std::uint64_t Universe::first_index(const SequenceHash& hash) const { return first_.at(hash); }

std::uint64_t Universe::first_index(const Json& index) const { return first_index(hash(index)); }

std::vector<std::uint64_t> Universe::first_indexes(const Json& indexes) const {
  std::vector<std::uint64_t> found;
  for (const SequenceHash& hash : hashes(indexes)) found.push_back(first_index(hash));
  return found;
}

TokenBlock Universe::block(const Json& index) const {
  if (first_position_ != 0) refuse("blocks of this trace have no tokens");
  return make_block(checked(index));
}

TokenBlock Universe::make_block(std::size_t index) const {
  std::vector<Token> tokens(block_size_);
  for (std::uint32_t k = 0; k < block_size_; ++k) {
    tokens[k] = static_cast<Token>(index * 2654435761u + std::uint64_t{k} * 40503u + 12345u);
  }
  BlockPlace place{.salt = salt_};
  if (records_[index].parent) {
    const Record& parent = records_[*records_[index].parent];
    place.parent = parent.current;
    place.position = parent.position + 1;
  }
  return TokenBlock(std::move(tokens), place);
}

}  // namespace kvbm::conformance
