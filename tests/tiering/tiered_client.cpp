#include "tests/tiering/tiered_client.hpp"

#include <algorithm>
#include <utility>

#include "tests/support/managers.hpp"

namespace kvbm::test {

bool TieredClient::serve(std::span<const SequenceHash> request, InHand& hand, const Stop& stop) {
  const auto part = request.first(std::min<std::size_t>(request.size(), world_.g1().total_blocks()));
  hand.match = world_.cache().match(part);
  std::vector<bool> in_g1;
  for (std::uint32_t i = 0; i < hand.match->size(); ++i) in_g1.push_back(hand.match->in_g1(i));
  hand.orphans = world_.g1().scan_matches(part.subspan(hand.match->size()), false);
  if (stop()) return false;
  hand.onboarding = world_.cache().onboard(*std::exchange(hand.match, std::nullopt));
  const bool gives_up = cancel_each_ != 0 && ++served_ % cancel_each_ == 0;
  if (stop()) return false;
  if (gives_up) hand.onboarding->cancel();
  static_cast<void>(hand.onboarding->advance());
  if (stop()) return false;
  hand.onboarded = std::move(*std::exchange(hand.onboarding, std::nullopt)).finish();
  const BlockRun<ImmutableBlock<G1>>& prefix = hand.onboarded->prefix;
  failures_ += hand.onboarded->failure ? 1 : 0;
  check(prefix.ids(), part);
  for (std::uint32_t i = 0; i < prefix.size(); ++i) ++(in_g1[i] ? g1_hits_ : g2_hits_);
  if (stop()) return false;
  world_.cache().settle();
  const auto rest = part.subspan(prefix.size());
  if (!rest.empty() && !add(rest, hand, stop)) return false;
  hand.orphans.reset();  // held otherwise by now
  if (mode_ == TierMode::Inclusive) {
    hand.offloading = world_.cache().offload(rest);
    if (stop()) return false;
    world_.cache().advance();
    if (gives_up) hand.offloading->cancel();
    if (stop()) return false;
  }
  world_.cache().settle();
  if (hand.added) hand.onboarded->prefix.append(std::move(*std::exchange(hand.added, std::nullopt)));
  hand = {};
  return true;
}

bool TieredClient::add(std::span<const SequenceHash> rest, InHand& hand, const Stop& stop) {
  hand.present = world_.g1().match_scattered(rest);
  std::vector<SequenceHash> missing;
  for (std::uint32_t i = 0; i < rest.size(); ++i) {
    if (!hand.present->has(i)) missing.push_back(rest[i]);
  }
  if (stop()) return false;
  hand.allocation = world_.cache().allocate(missing);
  if (!hand.allocation) return false;
  if (stop()) return false;
  hand.blocks = std::move(*std::exchange(hand.allocation, std::nullopt)).take();
  if (stop()) return false;
  world_.fill(hand.blocks->ids(), missing);
  auto staged = std::move(*std::exchange(hand.blocks, std::nullopt)).stage(missing, world_.g1().tokens_per_block());
  hand.complete = std::move(staged).value();
  if (stop()) return false;
  std::vector<ImmutableBlock<G1>> registered =
      world_.cache().register_blocks(*std::exchange(hand.complete, std::nullopt)).into_blocks();
  std::vector<ImmutableBlock<G1>> all;
  auto next = registered.begin();
  for (std::uint32_t i = 0; i < rest.size(); ++i) {
    std::optional<ImmutableBlock<G1>> block = hand.present->block(i);
    all.push_back(std::move(block ? *block : *next++));
  }
  hand.present.reset();
  hand.added = BlockRun<ImmutableBlock<G1>>::of(std::move(all));
  check(hand.added->ids(), rest);
  return !stop();
}

void TieredClient::check(std::span<const BlockId> blocks, std::span<const SequenceHash> hashes) {
  for (std::size_t i = 0; i < blocks.size(); ++i) corrupt_ += world_.holds_g1(blocks[i], hashes[i]) ? 0 : 1;
}

Prompts random_prompts(std::uint64_t seed, std::size_t requests, std::size_t longest) {
  std::mt19937_64 random(seed);
  Prompts prompts;
  struct Node {
    SequenceHash hash;
    std::vector<std::size_t> children;
  };
  std::vector<Node> nodes;
  std::vector<std::size_t> roots;
  const auto pick = [&](std::vector<std::size_t>& among, const SequenceHash& fresh) {
    // Mostly one that was there before, and of those rather an old one.
    if (!among.empty() && random() % 4 != 0) return among[std::min(random() % among.size(), random() % among.size())];
    among.push_back(nodes.size());
    nodes.push_back({fresh, {}});
    prompts.universe.push_back(fresh);
    return nodes.size() - 1;
  };
  for (std::size_t i = 0; i < requests; ++i) {
    std::vector<std::uint64_t> ids;
    std::vector<SequenceHash> hashes;
    std::size_t node = pick(roots, hash(random()));
    for (std::size_t length = 1 + random() % longest;;) {
      ids.push_back(node);
      hashes.push_back(nodes[node].hash);
      if (--length == 0) break;
      std::vector<std::size_t> children = std::move(nodes[node].children);
      const SequenceHash fresh = nodes[node].hash.extend(random());
      const std::size_t child = pick(children, fresh);
      nodes[node].children = std::move(children);
      node = child;
    }
    prompts.ids.push_back(std::move(ids));
    prompts.requests.push_back(std::move(hashes));
  }
  return prompts;
}

}  // namespace kvbm::test
