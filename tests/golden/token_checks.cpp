#include "token_checks.hpp"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/xxh3.hpp"
#include "kvbm/tokens/block_hash.hpp"
#include "kvbm/tokens/positional_sequence_hash.hpp"
#include "kvbm/tokens/token_sequence.hpp"

namespace kvbm::conformance {
namespace {

using Json = nlohmann::json;

// Sixteen times the longest recorded sequence; keeps a faulty length from taking all memory.
constexpr std::uint32_t kMostTokens = 1u << 24;

[[noreturn]] void refuse(const std::string& reason) { throw std::invalid_argument("tokens: " + reason); }

const Json& field(const Json& object, const char* name) {
  if (!object.is_object()) refuse(fmt::format("no object around field \"{}\"", name));
  const auto found = object.find(name);
  if (found == object.end()) refuse(fmt::format("no field \"{}\"", name));
  return *found;
}

const Json& list(const Json& object, const char* name) {
  const Json& value = field(object, name);
  if (!value.is_array()) refuse(fmt::format("field \"{}\" is not a list", name));
  return value;
}

std::uint64_t integer(const Json& value, const char* name) {
  if (!value.is_number_unsigned()) refuse(fmt::format("\"{}\" holds something else than a whole number", name));
  return value.get<std::uint64_t>();
}

std::uint32_t integer32(const Json& value, const char* name) {
  const std::uint64_t number = integer(value, name);
  if (number > 0xFFFF'FFFFu) refuse(fmt::format("\"{}\" holds {}, more than 32 bits", name, number));
  return static_cast<std::uint32_t>(number);
}

std::uint32_t length(std::uint32_t number, std::size_t before = 0) {
  if (number > kMostTokens || before > kMostTokens - number) refuse("more tokens or bytes than can be checked");
  return number;
}

const std::string& hex(const Json& value, const char* name, std::size_t digits) {
  if (!value.is_string()) refuse(fmt::format("\"{}\" holds something else than hexadecimal digits", name));
  const std::string& text = value.get_ref<const std::string&>();
  if (text.size() != digits || text.find_first_not_of("0123456789abcdef") != std::string::npos) {
    refuse(fmt::format("\"{}\" holds \"{}\" and not {} hexadecimal digits", name, text, digits));
  }
  return text;
}

std::uint64_t hex64(const Json& value, const char* name) { return std::stoull(hex(value, name, 16), nullptr, 16); }

std::optional<std::uint64_t> hex64_or_null(const Json& object, const char* name) {
  const Json& value = field(object, name);
  if (value.is_null()) return std::nullopt;
  return hex64(value, name);
}

std::string hex_of(std::uint64_t value) { return fmt::format("{:016x}", value); }

template <class Hash>
std::string hex_of128(const Hash& hash) {
  return fmt::format("{:016x}{:016x}", hash.high(), hash.low());
}

/// Compares the fields of one object with what the library says, up to the first difference.
class Comparison {
 public:
  Comparison(const Json& object, std::string path, std::size_t& checks)
      : object_(object), path_(std::move(path)), checks_(checks) {}

  void number(const char* name, std::uint64_t got) {
    compare(name, std::to_string(integer(field(object_, name), name)), std::to_string(got));
  }
  void hash(const char* name, std::uint64_t got) { compare(name, hex(field(object_, name), name, 16), hex_of(got)); }
  template <class Hash>
  void hash128(const char* name, const Hash& got) {
    compare(name, hex(field(object_, name), name, 32), hex_of128(got));
  }
  void hash128_or_null(const char* name, const std::optional<SequenceHash>& got) {
    const Json& wanted = field(object_, name);
    compare(name, wanted.is_null() ? "null" : hex(wanted, name, 32), got ? hex_of128(*got) : "null");
  }
  void text(const char* name, const std::string& got) {
    const Json& wanted = field(object_, name);
    if (!wanted.is_string()) refuse(fmt::format("field \"{}\" is not a string", name));
    compare(name, wanted.get<std::string>(), got);
  }
  void value(const char* name, const Json& got) { compare(name, field(object_, name).dump(), got.dump()); }

  /// What a positional lineage hash decodes to.
  void lineage(const SequenceHash& got) {
    hash128("plh", got);
    number("pos", got.position());
    number("mode", got.mode());
    hash("cur", got.current());
    hash("par", got.parent_fragment());
    hash("pfc", got.fragment_for_child(got.position() + 1));
  }

  void take(std::optional<Mismatch> found) {
    if (!mismatch_) mismatch_ = std::move(found);
  }
  [[nodiscard]] std::optional<Mismatch> result() const { return mismatch_; }

 private:
  void compare(const char* name, const std::string& expected, const std::string& got) {
    if (mismatch_) return;
    ++checks_;
    if (expected != got) mismatch_ = Mismatch{path_ + name, expected, got};
  }

  const Json& object_;
  std::string path_;
  std::size_t& checks_;
  std::optional<Mismatch> mismatch_{};
};

std::vector<Token> tokens_of(const Json& line) {
  std::vector<Token> tokens;
  if (line.contains("tokens")) {
    for (const Json& token : list(line, "tokens")) tokens.push_back(integer32(token, "tokens"));
    return tokens;
  }
  const Json& generator = field(line, "gen");
  const std::uint32_t factor = integer32(field(generator, "a"), "a");
  const std::uint32_t offset = integer32(field(generator, "c"), "c");
  tokens.resize(length(integer32(field(generator, "n"), "n")));
  for (std::uint32_t i = 0; i < tokens.size(); ++i) tokens[i] = factor * i + offset;
  return tokens;
}

std::vector<MmRun> runs_of(const Json& line) {
  std::vector<MmRun> runs;
  if (!line.contains("mm")) return runs;
  for (const Json& run : list(line, "mm")) {
    if (!run.is_array() || run.size() != 3) refuse("\"mm\" holds something else than [mm_hash, offset, length]");
    runs.push_back({hex64(run[0], "mm"), integer32(run[1], "mm"), integer32(run[2], "mm")});
  }
  return runs;
}

TokenSequenceOptions options_of(const Json& line) {
  return {.block_size = integer32(field(line, "bs"), "bs"), .salt = hex64_or_null(line, "salt")};
}

TokenBlockSequence sequence_of(const Json& line) {
  auto sequence = TokenBlockSequence::with_mm(tokens_of(line), runs_of(line), options_of(line));
  if (!sequence) refuse("\"mm\": " + sequence.error().text());
  return *std::move(sequence);
}

std::optional<Mismatch> check_block(const Json& wanted, const std::string& path, const TokenBlockSequence& sequence,
                                    std::size_t& checks) {
  const std::uint64_t index = integer(field(wanted, "i"), "i");
  if (index >= sequence.block_count()) {
    ++checks;
    return Mismatch{path + "i", std::to_string(index), fmt::format("{} blocks", sequence.block_count())};
  }
  const TokenBlock block = sequence.block(index);
  Comparison comparison(wanted, path, checks);
  comparison.number("i", block.position());
  comparison.hash("bh", block.block_hash());
  comparison.hash("sh", block.sequence_hash64());
  comparison.hash128("psh", block.positional_hash());
  comparison.lineage(block.hash());
  return comparison.result();
}

std::optional<Mismatch> check_sequence(const Json& line, std::size_t& checks) {
  const TokenBlockSequence sequence = sequence_of(line);
  std::uint64_t high = 0;
  std::uint64_t low = 0;
  std::uint64_t sum = 0;
  for (const SequenceHash& hash : sequence.hashes()) {
    high ^= hash.high();
    low ^= hash.low();
    sum += hash.current();
  }
  Comparison comparison(line, "", checks);
  comparison.number("nblocks", sequence.block_count());
  comparison.number("partial", sequence.partial_tokens().size());
  std::size_t i = 0;
  for (const Json& block : list(line, "blocks")) {
    comparison.take(check_block(block, fmt::format("blocks[{}].", i++), sequence, checks));
  }
  comparison.hash128("xor_plh", SequenceHash::from_bits(high, low));
  comparison.hash("sum_sh", sum);
  return comparison.result();
}

std::optional<Mismatch> check_lineage_packing(const Json& line, std::size_t& checks) {
  const SequenceHash hash(hex64(field(line, "in_cur"), "in_cur"), hex64_or_null(line, "in_par"),
                          integer(field(line, "in_pos"), "in_pos"));
  Comparison comparison(line, "", checks);
  comparison.lineage(hash);
  comparison.text("str", hash.text());
  return comparison.result();
}

std::optional<Mismatch> check_sequence_packing(const Json& line, std::size_t& checks) {
  const PositionalSequenceHash hash(hex64(field(line, "in_sh"), "in_sh"), integer(field(line, "in_pos"), "in_pos"),
                                    hex64(field(line, "in_lbh"), "in_lbh"));
  Comparison comparison(line, "", checks);
  comparison.hash128("psh", hash);
  comparison.number("mode", hash.mode());
  comparison.number("pos", hash.position());
  comparison.hash("sh", hash.sequence_hash());
  comparison.hash("lbh", hash.local_block_hash());
  return comparison.result();
}

std::optional<Mismatch> check_salt(const Json& line, std::size_t& checks) {
  std::vector<std::byte> payload(length(integer32(field(line, "n"), "n")));
  for (std::size_t i = 0; i < payload.size(); ++i) payload[i] = static_cast<std::byte>(7 * i + 3);
  Comparison comparison(line, "", checks);
  comparison.hash("hash", salt_hash(payload));
  comparison.hash("hash_seed_1337", xxh3_64(payload, kChainSeed));
  return comparison.result();
}

Json status(const Result<void, TokenBlockError>& result) { return result ? "ok" : "err"; }

/// Applies one edit; returns its outcome as the recording writes it.
Json apply_edit(const Json& edit, TokenBlockSequence& sequence) {
  if (!edit.is_array() || edit.empty() || !edit[0].is_string()) refuse("\"op\" is not a list that begins with a name");
  const std::string name = edit[0].get<std::string>();
  const auto argument = [&](std::size_t i) {
    if (i >= edit.size()) refuse(fmt::format("operation {} lacks an argument", name));
    return integer32(edit[i], "op");
  };
  if (name == "extend") {
    std::vector<Token> tokens(length(argument(2), sequence.size()));
    std::iota(tokens.begin(), tokens.end(), argument(1));
    const std::optional<BlockRange> range = sequence.extend(tokens);
    return range ? Json{range->begin, range->end} : Json();
  }
  if (name == "append") {
    const std::optional<std::size_t> block = sequence.append(argument(1));
    return block ? Json(*block) : Json();
  }
  if (name == "pop") {
    const std::optional<Token> token = sequence.pop();
    return token ? Json(*token) : Json();
  }
  if (name == "truncate") return status(sequence.truncate(argument(1)));
  if (name == "unwind") return status(sequence.unwind(argument(1)));
  refuse(fmt::format("unknown operation \"{}\"", name));
}

std::optional<Mismatch> check_edits(const Json& line, std::size_t& checks) {
  TokenBlockSequence sequence({}, options_of(line));
  std::size_t i = 0;
  for (const Json& step : list(line, "steps")) {
    Comparison comparison(step, fmt::format("steps[{}].", i++), checks);
    comparison.value("r", apply_edit(field(step, "op"), sequence));
    comparison.number("total", sequence.size());
    comparison.number("nblocks", sequence.block_count());
    comparison.number("partial", sequence.partial_tokens().size());
    const std::optional<TokenBlock> last = sequence.last_complete_block();
    comparison.hash128_or_null("last_plh", last ? std::optional(last->hash()) : std::nullopt);
    if (comparison.result()) return comparison.result();
  }
  return std::nullopt;
}

}  // namespace

std::optional<Mismatch> check_token_line(const Json& line, std::size_t& checks) {
  const Json& kind = field(line, "k");
  if (kind == "seq") return check_sequence(line, checks);
  if (kind == "plh") return check_lineage_packing(line, checks);
  if (kind == "psh") return check_sequence_packing(line, checks);
  if (kind == "salt") return check_salt(line, checks);
  if (kind == "edit") return check_edits(line, checks);
  refuse("unknown kind " + kind.dump());
}

}  // namespace kvbm::conformance
