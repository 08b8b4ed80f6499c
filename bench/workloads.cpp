#include "bench/workloads.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <map>
#include <random>
#include <stdexcept>
#include <utility>

#include "bench/sequence_workloads.hpp"
#include "kvbm/kvbm.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint32_t kTokens = 16;
constexpr std::uint32_t kChain = 512;

/// Never-seen hashes in chains of kChain blocks, made as they are asked for. Their bits are as mixed as those of real
/// hashes, so that a table fares no better with them.
class FreshHashes {
 public:
  explicit FreshHashes(std::uint64_t stream) : counter_(stream << 48) { enter(0); }

  SequenceHash next() {
    if (name_ == end_) turn();
    counter_ += 0x9E37'79B9'7F4A'7C15u;
    const std::uint64_t current = (counter_ ^ counter_ >> 32) * 0xD1B5'4A32'D192'ED03u;
    const std::uint64_t mixed = current ^ current >> 29;
    const SequenceHash hash =
        SequenceHash::from_bits(name_ | mixed >> named_, mixed << (64 - named_) | (last_ & mask_));
    name_ += std::uint64_t{1} << (64 - named_);
    last_ = mixed;
    return hash;
  }

 private:
  static constexpr std::uint64_t kModeEnd = 256;  // the first position of mode 1
  static_assert(kModeEnd < kChain && kChain < 1u << 16, "a chain is made of modes 0 and 1");

  /// From here on positions are of this mode.
  void enter(unsigned mode) {
    named_ = 10 + 8 * mode;
    mask_ = SequenceHash::fragment_mask(mode);
    name_ = std::uint64_t{mode} << 62 | (mode == 0 ? 0 : kModeEnd) << (64 - named_);
    end_ = std::uint64_t{mode} << 62 | (mode == 0 ? kModeEnd : kChain) << (64 - named_);
    last_ = mode == 0 ? 0 : last_;  // a root has no parent
  }
  void turn() { enter(named_ == 10 ? 1 : 0); }

  std::uint64_t counter_;
  std::uint64_t name_ = 0;  // mode and position of the next hash, where it has them
  std::uint64_t end_ = 0;   // the name at which the mode changes, or the chain
  std::uint64_t mask_ = 0;
  std::uint64_t last_ = 0;
  unsigned named_ = 0;  // bits of a name
};

BlockManager<G1> make_manager(const WorkloadOptions& options) {
  ManagerOptions manager = options_for(*options.policy, options.blocks);
  manager.tokens_per_block = kTokens;
  manager.change_log = options.change_log;
  auto made = BlockManager<G1>::create(std::move(manager));
  if (!made) throw std::invalid_argument(made.error().text);
  return std::move(*made);
}

void shuffle_free_pool(const BlockManager<G1>& manager) {
  std::vector<MutableBlock<G1>> blocks = std::move(*manager.allocate(manager.total_blocks())).into_blocks();
  std::shuffle(blocks.begin(), blocks.end(), std::mt19937_64(7));
}

/// Allocates, stages, registers and drops one run.
void fill(const BlockManager<G1>& manager, std::span<const SequenceHash> hashes) {
  auto run = manager.allocate(static_cast<std::uint32_t>(hashes.size()));
  if (!run) throw std::logic_error("the pool is in use");
  auto registered = manager.register_blocks(std::move(std::move(*run).stage(hashes, kTokens)).value());
}

class OnManager : public Workload {
 public:
  explicit OnManager(const WorkloadOptions& options) : manager_(make_manager(options)), threads_(options.threads) {
    if (options.scattered_ids) shuffle_free_pool(manager_);
  }

 protected:
  BlockManager<G1> manager_;
  unsigned threads_;
};

class Alloc64 final : public OnManager {
 public:
  using OnManager::OnManager;
  std::uint64_t step(unsigned) override {
    const auto run = manager_.allocate(64);
    return run ? run->size() : 0;
  }
};

/// Fills a pool with fresh blocks; each thread empties it when it has put in its share.
class Filling : public OnManager {
 public:
  explicit Filling(const WorkloadOptions& options) : OnManager(options), share_(options.blocks / options.threads) {
    for (unsigned thread = 0; thread < threads_; ++thread) states_.push_back({FreshHashes(thread + 1), 0, {}});
  }

 protected:
  struct alignas(128) State {
    FreshHashes fresh;
    std::uint32_t filled;
    std::array<SequenceHash, 64> hashes;
  };

  /// Makes room for `count` blocks.
  State& about_to_fill(unsigned thread, std::uint32_t count) {
    State& state = states_[thread];
    if (state.filled + count > share_) {
      manager_.reset_inactive_pool();
      state.filled = 0;
    }
    state.filled += count;
    return state;
  }

 private:
  std::uint32_t share_;
  std::vector<State> states_;
};

class Fill1 final : public Filling {
 public:
  using Filling::Filling;
  std::uint64_t step(unsigned thread) override {
    const SequenceHash hash = about_to_fill(thread, 1).fresh.next();
    auto block = manager_.allocate_block();
    if (!block) throw std::logic_error("the pool is in use");
    const auto registered = manager_.register_block(std::move(std::move(*block).stage(hash, kTokens)).value());
    return 1;
  }
};

class Fill64 final : public Filling {
 public:
  using Filling::Filling;
  std::uint64_t step(unsigned thread) override {
    State& state = about_to_fill(thread, 64);
    for (SequenceHash& hash : state.hashes) hash = state.fresh.next();
    fill(manager_, state.hashes);
    return 64;
  }
};

/// The pool is full of idle blocks; every allocation evicts.
class Evict64 final : public OnManager {
 public:
  explicit Evict64(const WorkloadOptions& options) : OnManager(options) {
    for (unsigned thread = 0; thread < threads_; ++thread) states_.push_back({FreshHashes(thread + 1), {}});
    for (std::uint32_t filled = 0; filled + 64 <= manager_.total_blocks(); filled += 64) step(filled / 64 % threads_);
  }
  std::uint64_t step(unsigned thread) override {
    State& state = states_[thread];
    for (SequenceHash& hash : state.hashes) hash = state.fresh.next();
    fill(manager_, state.hashes);
    return 64;
  }

 private:
  struct alignas(128) State {
    FreshHashes fresh;
    std::array<SequenceHash, 64> hashes;
  };
  std::vector<State> states_;
};

/// Chains that fill the pool, all registered and idle, and a shuffled order in which each thread walks its own.
class OnChains : public OnManager {
 public:
  OnChains(const WorkloadOptions& options, std::uint32_t length) : OnManager(options), length_(length) {
    const std::uint32_t chains = manager_.total_blocks() / kChain;
    if (chains < threads_) throw std::invalid_argument("the pool holds fewer chains than there are threads");
    FreshHashes fresh(1);
    hashes_.resize(std::size_t{chains} * kChain);
    for (SequenceHash& hash : hashes_) hash = fresh.next();
    for (std::uint32_t chain = 0; chain < chains; ++chain) {
      fill(manager_, std::span(hashes_).subspan(std::size_t{chain} * kChain, kChain));
    }
    cursors_.resize(threads_);
    for (std::uint32_t chain = 0; chain < chains; ++chain) cursors_[chain % threads_].order.push_back(chain);
    for (Cursor& cursor : cursors_) std::shuffle(cursor.order.begin(), cursor.order.end(), std::mt19937_64(11));
  }

 protected:
  std::span<const SequenceHash> next(unsigned thread) {
    Cursor& cursor = cursors_[thread];
    const std::uint32_t chain = cursor.order[cursor.place];
    cursor.place = cursor.place + 1 == cursor.order.size() ? 0 : cursor.place + 1;
    return std::span(hashes_).subspan(std::size_t{chain} * kChain, length_);
  }

  std::uint32_t length_;
  std::vector<SequenceHash> hashes_;

 private:
  struct alignas(128) Cursor {
    std::vector<std::uint32_t> order;
    std::size_t place = 0;
  };
  std::vector<Cursor> cursors_;
};

class MatchIdle final : public OnChains {
 public:
  using OnChains::OnChains;
  std::uint64_t step(unsigned thread) override { return manager_.match_blocks(next(thread)).size(); }
};

class MatchActive final : public OnChains {
 public:
  MatchActive(const WorkloadOptions& options, std::uint32_t length) : OnChains(options, length) {
    for (std::size_t first = 0; first < hashes_.size(); first += kChain) {
      held_.push_back(manager_.match_blocks(std::span(hashes_).subspan(first, kChain)));
    }
  }
  std::uint64_t step(unsigned thread) override { return manager_.match_blocks(next(thread)).size(); }

 private:
  std::vector<BlockRun<ImmutableBlock<G1>>> held_;
};

class Miss final : public OnChains {
 public:
  explicit Miss(const WorkloadOptions& options) : OnChains(options, 64) {
    FreshHashes absent(2);
    for (std::size_t first = 0; first < hashes_.size(); first += kChain) hashes_[first] = absent.next();
  }
  std::uint64_t step(unsigned thread) override { return 1 + manager_.match_blocks(next(thread)).size(); }
};

class Scan512 final : public OnChains {
 public:
  explicit Scan512(const WorkloadOptions& options) : OnChains(options, kChain) {
    FreshHashes absent(2);
    for (std::size_t i = 1; i < hashes_.size(); i += 2) hashes_[i] = absent.next();
  }
  std::uint64_t step(unsigned thread) override {
    const std::span<const SequenceHash> hashes = next(thread);
    const auto found = manager_.scan_matches(hashes, false);
    if (found.size() != hashes.size() / 2) throw std::logic_error("half of the hashes are present");
    return hashes.size();
  }
};

/// Guards of a number of blocks that does not grow with the pool, in shuffled order; each thread walks its own share.
template <class Guard>
class OnGuards : public OnManager {
 public:
  explicit OnGuards(const WorkloadOptions& options) : OnManager(options), shares_(threads_) {
    FreshHashes fresh(1);
    const std::uint32_t count = std::min<std::uint32_t>(manager_.total_blocks(), 4096);
    for (std::uint32_t i = 0; i < count; ++i) {
      registered_.push_back(manager_.register_block(
          std::move(std::move(*manager_.allocate_block()).stage(fresh.next(), kTokens)).value()));
    }
    std::shuffle(registered_.begin(), registered_.end(), std::mt19937_64(13));
  }

 protected:
  void share_out(const std::vector<Guard>& guards) {
    const std::size_t each = guards.size() / threads_;
    for (unsigned thread = 0; thread < threads_; ++thread) {
      const Guard* first = guards.data() + each * thread;
      shares_[thread] = {first, first, first + each};
    }
  }
  /// Calls use(guard) for the thread's next few guards. Returns for how many.
  template <class Use>
  std::uint64_t walk(unsigned thread, Use&& use) {
    constexpr std::ptrdiff_t kGuards = 64;
    Share& share = shares_[thread];
    if (share.end - share.next < kGuards) share.next = share.first;
    const Guard* const end = share.next + std::min(kGuards, share.end - share.next);
    const auto count = static_cast<std::uint64_t>(end - share.next);
    for (const Guard* guard = std::exchange(share.next, end); guard != end; ++guard) use(*guard);
    return count;
  }

  std::vector<ImmutableBlock<G1>> registered_;

 private:
  struct alignas(128) Share {
    const Guard* first;
    const Guard* next;
    const Guard* end;
  };
  std::vector<Share> shares_;
};

class Copy final : public OnGuards<ImmutableBlock<G1>> {
 public:
  explicit Copy(const WorkloadOptions& options) : OnGuards(options) { share_out(registered_); }
  std::uint64_t step(unsigned thread) override {
    return walk(thread, [](const ImmutableBlock<G1>& block) { const ImmutableBlock<G1> copy = block; });
  }
};

class WeakUpgrade final : public OnGuards<WeakBlock<G1>> {
 public:
  WeakUpgrade(const WorkloadOptions& options, bool held) : OnGuards(options) {
    for (const ImmutableBlock<G1>& block : registered_) weak_.push_back(block.downgrade());
    if (!held) registered_.clear();
    share_out(weak_);
  }
  std::uint64_t step(unsigned thread) override {
    return walk(thread, [](const WeakBlock<G1>& weak) {
      if (!weak.upgrade()) throw std::logic_error("the block is registered");
    });
  }

 private:
  std::vector<WeakBlock<G1>> weak_;
};

/// Tokens into a lineage-hashed sequence, 4096 at a time.
class Hash final : public Workload {
 public:
  Hash(const WorkloadOptions& options, std::uint32_t block_size)
      : block_size_(block_size), tokens_(4096), sums_(options.threads) {
    for (std::size_t i = 0; i < tokens_.size(); ++i) tokens_[i] = static_cast<std::uint32_t>(i * 2654435761u);
  }
  std::uint64_t step(unsigned thread) override {
    TokenBlockSequence sequence({}, {.block_size = block_size_});
    sequence.extend(tokens_);
    sums_[thread].value += sequence.hashes().back().low();
    return tokens_.size();
  }

 private:
  struct alignas(128) Sum {
    std::uint64_t value = 0;
  };
  std::uint32_t block_size_;
  std::vector<std::uint32_t> tokens_;
  std::vector<Sum> sums_;
};

using Maker = std::function<std::unique_ptr<Workload>(const WorkloadOptions&)>;

template <class W, class... Args>
Maker maker(Args... args) {
  return [args...](const WorkloadOptions& options) { return std::make_unique<W>(options, args...); };
}

const std::map<std::string, Maker>& makers() {
  static const std::map<std::string, Maker> all{
      {"alloc64", maker<Alloc64>()},
      {"fill1", maker<Fill1>()},
      {"fill64", maker<Fill64>()},
      {"match_idle64", maker<MatchIdle>(64u)},
      {"match_idle512", maker<MatchIdle>(512u)},
      {"match_active64", maker<MatchActive>(64u)},
      {"match_active512", maker<MatchActive>(512u)},
      {"miss", maker<Miss>()},
      {"scan512", maker<Scan512>()},
      {"evict64", maker<Evict64>()},
      {"weak_hit", maker<WeakUpgrade>(true)},
      {"weak_resurrect", maker<WeakUpgrade>(false)},
      {"copy", maker<Copy>()},
      {"hash16", maker<Hash>(16u)},
      {"hash64", maker<Hash>(64u)},
      {"decode1k", maker<DecodeStep>(1'000u)},
      {"decode100k", maker<DecodeStep>(100'000u)},
      {"speculate1k", maker<SpeculativeStep>(1'000u)},
      {"fork1k", maker<ForkStep>(1'000u)},
  };
  return all;
}

}  // namespace

const std::vector<std::string>& workload_names() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> list;
    for (const auto& [name, make] : makers()) list.push_back(name);
    return list;
  }();
  return names;
}

std::unique_ptr<Workload> make_workload(const std::string& name, const WorkloadOptions& options) {
  const auto found = makers().find(name);
  return found == makers().end() ? nullptr : found->second(options);
}

}  // namespace kvbm::bench
