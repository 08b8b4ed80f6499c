#include <algorithm>
#include <cstring>
#include <optional>
#include <span>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/xxh3.hpp"
#include "kvbm/tokens/token_sequence.hpp"
#include "tests/fuzz/fuzz_targets.hpp"

namespace kvbm::fuzz {
namespace {

/// Bytes one after another, zeros behind the last.
class Input {
 public:
  explicit Input(std::span<const std::uint8_t> bytes) noexcept : bytes_(bytes) {}

  [[nodiscard]] bool ended() const noexcept { return bytes_.empty(); }
  [[nodiscard]] std::uint8_t byte() noexcept {
    if (bytes_.empty()) return 0;
    const std::uint8_t first = bytes_.front();
    bytes_ = bytes_.subspan(1);
    return first;
  }
  [[nodiscard]] std::vector<Token> tokens() {
    std::vector<Token> tokens(byte() % 80);
    for (Token& token : tokens) token = byte() * 0x0101'0101u;
    return tokens;
  }
  /// Mostly small, now and then where sums overflow.
  [[nodiscard]] std::size_t offset() noexcept {
    const std::uint8_t first = byte();
    return first < 250 ? first : SIZE_MAX - byte();
  }

 private:
  std::span<const std::uint8_t> bytes_;
};

/// A sequence as plainly as it can be written: the slots one by one, all of them hashed when somebody asks.
struct Model {
  struct Slot {
    Token token = 0;
    std::optional<std::uint64_t> object{};
    std::uint32_t index = 0;  // within the object's run
  };
  std::vector<Slot> slots;

  void add(std::span<const Token> tokens) {
    for (const Token token : tokens) slots.push_back({.token = token});
  }
  void place(std::uint64_t object, std::size_t offset, std::size_t length, bool keep_tokens) {
    for (std::uint32_t i = 0; i < length; ++i) {
      Slot& slot = slots[offset + i];
      slot = {.token = keep_tokens ? slot.token : 0, .object = object, .index = i};
    }
  }
  [[nodiscard]] bool has_runs() const {
    return std::any_of(slots.begin(), slots.end(), [](const Slot& slot) { return slot.object.has_value(); });
  }
};

template <class T>
void put(std::vector<std::byte>& bytes, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) bytes.push_back(static_cast<std::byte>(value >> (8 * i)));
}

std::uint64_t content_hash(std::span<const Model::Slot> slots, std::uint64_t salt) {
  const bool framed =
      std::any_of(slots.begin(), slots.end(), [](const Model::Slot& slot) { return slot.object.has_value(); });
  std::vector<std::byte> bytes;
  bytes.reserve(13 * slots.size());
  for (const Model::Slot& slot : slots) {
    if (framed) bytes.push_back(std::byte{slot.object.has_value()});
    put(bytes, slot.object ? slot.index : slot.token);
    if (framed) put(bytes, slot.object.value_or(0));
  }
  return xxh3_64(bytes, salt);
}

void compare(const TokenBlockSequence& sequence, const Model& model) {
  const std::size_t size = sequence.block_size();
  KVBM_ASSERT(sequence.size() == model.slots.size(), "a sequence has another length than its model");
  KVBM_ASSERT(sequence.block_count() == model.slots.size() / size, "a full block has no hash");
  for (std::size_t i = 0; i < model.slots.size(); ++i) {
    KVBM_ASSERT(sequence.tokens()[i] == model.slots[i].token, "a sequence has another token than its model");
  }
  std::optional<std::uint64_t> parent;
  for (std::size_t i = 0; i < sequence.block_count(); ++i) {
    const std::uint64_t content = content_hash(std::span(model.slots).subspan(i * size, size), sequence.salt());
    const std::uint64_t current = parent ? chain_hash(*parent, content) : content;
    KVBM_ASSERT(sequence.block_hash(i) == content, "a block's content has another hash");
    KVBM_ASSERT(sequence.hashes()[i] == SequenceHash(current, parent, i), "a block has another sequence hash");
    KVBM_ASSERT(sequence.parent_of(i) == parent, "a block has another parent");
    parent = current;
  }
}

std::vector<MmRun> runs_from(Input& input) {
  std::vector<MmRun> runs(input.byte() % 4);
  for (MmRun& run : runs) run = {.mm_hash = input.byte(), .offset = input.offset(), .length = input.offset()};
  return runs;
}

/// Whether `runs` fit into `tokens` tokens, without an order that makes it easy.
bool fit(std::span<const MmRun> runs, std::size_t tokens) {
  for (const MmRun& run : runs) {
    if (run.length == 0 || run.length > tokens || run.offset > tokens - run.length) return false;
    const auto shares_a_slot = [&](const MmRun& other) {
      return &other != &run && other.offset < run.offset + run.length && run.offset < other.offset + other.length;
    };
    if (std::any_of(runs.begin(), runs.end(), shares_a_slot)) return false;
  }
  return true;
}

void extend_with_mm(TokenBlockSequence& sequence, Model& model, Input& input) {
  const std::vector<Token> tokens = input.tokens();
  const std::vector<MmRun> runs = runs_from(input);
  const bool taken = sequence.extend_with_mm(tokens, runs).has_value();
  KVBM_ASSERT(taken == fit(runs, tokens.size()), "runs were taken that do not fit, or refused that do");
  if (!taken) return;
  const std::size_t start = model.slots.size();
  model.add(tokens);
  for (const MmRun& run : runs) model.place(run.mm_hash, start + run.offset, run.length, false);
}

void push_mm_run(TokenBlockSequence& sequence, Model& model, Input& input) {
  const std::size_t length = input.byte() % 40;
  const std::uint64_t object = input.byte();
  KVBM_ASSERT(sequence.push_mm_run(object, length).has_value() == (length != 0), "only an empty run is refused");
  const std::size_t start = model.slots.size();
  model.slots.resize(start + length);
  model.place(object, start, length, false);
}

void shrink(TokenBlockSequence& sequence, Model& model, Input& input, bool by_count) {
  const std::size_t number = input.offset();
  const std::size_t size = model.slots.size();
  const bool possible = !model.has_runs() && (!by_count || number <= size);
  const bool done = (by_count ? sequence.unwind(number) : sequence.truncate(number)).has_value();
  KVBM_ASSERT(done == possible, "a sequence shrank that cannot, or did not though it can");
  if (done) model.slots.resize(by_count ? size - number : std::min(size, number));
}

void pop(TokenBlockSequence& sequence, Model& model) {
  const auto popped = sequence.try_pop();
  KVBM_ASSERT(popped.has_value() == !model.has_runs(), "a sequence with runs lost a token, or one without kept it");
  if (!popped) return;
  KVBM_ASSERT(popped->has_value() == !model.slots.empty(), "an empty sequence gave a token, or another gave none");
  if (!*popped) return;
  KVBM_ASSERT(**popped == model.slots.back().token, "another token than the last was taken");
  model.slots.pop_back();
}

/// The block being filled, filled up and committed, is the block that the sequence makes of the same tokens.
void commit_current(const TokenBlockSequence& sequence) {
  TokenBlockSequence longer(sequence);
  PartialTokenBlock partial = sequence.current_block();
  const std::vector<Token> missing(partial.remaining(), 77);
  KVBM_ASSERT(partial.push(missing).empty(), "a block had less room than it said");
  longer.extend(missing);
  const auto block = partial.commit();
  KVBM_ASSERT(block.has_value() && *block == longer.block(sequence.block_count()), "two ways to the same block differ");
}

void step(TokenBlockSequence& sequence, Model& model, Input& input) {
  switch (input.byte() % 10) {
    case 0:
    case 1: {
      const Token token = input.byte();
      sequence.append(token);
      return model.add({&token, 1});
    }
    case 2:
    case 3: {
      const std::vector<Token> tokens = input.tokens();
      sequence.extend(tokens);
      return model.add(tokens);
    }
    case 4:
      return extend_with_mm(sequence, model, input);
    case 5:
      return push_mm_run(sequence, model, input);
    case 6:
      return shrink(sequence, model, input, input.byte() % 2 == 0);
    case 7:
      return pop(sequence, model);
    case 8:
      return commit_current(sequence);
    default:
      if (input.byte() % 8 != 0) return;  // seldom, so that sequences grow
      sequence.reset();
      model.slots.clear();
  }
}

}  // namespace

/// Bytes as a course of edits, compared after each with a model that hashes everything anew.
void edit_token_sequence(std::span<const std::uint8_t> bytes) {
  constexpr std::size_t kMostSteps = 64;
  Input input(bytes);
  const TokenSequenceOptions options{.block_size = 1u + input.byte() % 70u, .salt = input.byte(), .hash_threads = 1};
  const std::vector<Token> tokens = input.tokens();
  const std::vector<MmRun> runs = runs_from(input);
  auto sequence = TokenBlockSequence::with_mm(tokens, runs, options);
  KVBM_ASSERT(sequence.has_value() == fit(runs, tokens.size()), "runs were taken that do not fit, or refused that do");
  if (!sequence) return;
  Model model;
  model.add(tokens);
  for (const MmRun& run : runs) model.place(run.mm_hash, run.offset, run.length, true);
  compare(*sequence, model);
  for (std::size_t i = 0; i < kMostSteps && !input.ended(); ++i) {
    step(*sequence, model, input);
    compare(*sequence, model);
  }
}

}  // namespace kvbm::fuzz
