#include "workload.hpp"

#include <algorithm>

#include "model.hpp"
#include "random.hpp"

namespace engine {
namespace {

constexpr std::uint32_t kSystemPrompts = 8;
constexpr std::uint32_t kSystemTokensMin = 12, kSystemTokensMax = 64;
constexpr std::uint32_t kUserTokensMin = 2, kUserTokensMax = 24;
constexpr std::uint32_t kOutputTokensMax = 12;
constexpr std::uint32_t kTurnsMax = 5;
constexpr std::uint32_t kConversations = 24;  // under way at a time
static_assert(kSystemTokensMax + kTurnsMax * (kUserTokensMax + kOutputTokensMax) <= kPositions);

struct Conversation {
  std::uint32_t turns_left = 0;
  std::optional<std::uint32_t> last;
};

void append_random(Tokens& tokens, std::uint32_t count, Random& random) {
  for (std::uint32_t i = 0; i < count; ++i) tokens.push_back(random.between(0, kVocabulary - 1));
}

}  // namespace

std::vector<Turn> make_workload(std::uint32_t turns, std::uint64_t seed) {
  Random random(seed);
  std::vector<Tokens> system_prompts(kSystemPrompts);
  for (Tokens& prompt : system_prompts) {
    append_random(prompt, random.between(kSystemTokensMin, kSystemTokensMax), random);
  }
  std::vector<Conversation> conversations(kConversations);
  std::vector<Turn> workload;
  while (workload.size() < turns) {
    Conversation& conversation = conversations[random.between(0, kConversations - 1)];
    Turn turn{.previous = conversation.last, .tokens = {}, .output_tokens = random.between(1, kOutputTokensMax)};
    if (conversation.turns_left == 0) {
      conversation.turns_left = random.between(1, kTurnsMax);
      turn.previous = std::nullopt;
      // Some prompts come more often than others.
      turn.tokens = system_prompts[std::min(random.between(0, kSystemPrompts - 1), random.between(0, kSystemPrompts))];
    }
    append_random(turn.tokens, random.between(kUserTokensMin, kUserTokensMax), random);
    conversation.last = static_cast<std::uint32_t>(workload.size());
    --conversation.turns_left;
    workload.push_back(std::move(turn));
  }
  return workload;
}

}  // namespace engine
