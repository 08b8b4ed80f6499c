#include "kvbm/lookup/prefix_index.hpp"

#include <stdexcept>
#include <string>
#include <utility>

#include "kvbm/base/assert.hpp"
#include "kvbm/base/mutex.hpp"
#include "src/host/lookup/host_match.hpp"
#include "src/host/lookup/index_feed.hpp"
#include "src/host/lookup/table_mirror.hpp"
#include "src/host/lookup/token_blocks.hpp"

namespace kvbm {

class PrefixIndex::Impl {
 public:
  virtual ~Impl() = default;
  virtual void add(Source source) = 0;
  virtual Update update(TableMirror* mirror) = 0;
  virtual void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                       PrefixAnswers& answers) const = 0;
  virtual void look_up(std::span<const std::uint32_t> offsets, std::span<const std::uint64_t> fingerprints,
                       PrefixAnswers& answers) const = 0;
  virtual void count(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                     PrefixAnswers& answers) const = 0;
  [[nodiscard]] virtual bool counts_by_search() const noexcept = 0;
  [[nodiscard]] virtual std::uint64_t fingerprint(const SequenceHash& hash) const noexcept = 0;
  virtual void check_invariants() const = 0;

  std::vector<ManagerId> tiers;
};

/// One kind of slot's planner, what feeds it, and the table that readers take.
template <class Slot>
class PrefixIndex::Table final : public Impl {
 public:
  explicit Table(const PrefixIndexOptions& options)
      : options_(options), mask_(~std::uint64_t{0} << (64 - options.fingerprint_bits)), planner_({options.hashes}) {}

  void add(Source source) override {
    const auto tier = static_cast<unsigned>(feeds_.size());
    const std::uint64_t blocks = blocks_ + source.blocks;
    if (options_.hashes == 0 && planner_.keys() == 0) planner_ = PrefixPlanner<Slot>({blocks});
    feeds_.emplace_back(tier, source.blocks, std::move(source.log), std::move(source.registered),
                        options_.counts ? &holes_ : nullptr);
    blocks_ = blocks;
  }

  Update update(TableMirror* mirror) override {
    Update update;
    for (IndexFeed& feed : feeds_) {
      update.changes += feed.follow(
          planner_, [this](const SequenceHash& hash) { return key_of(hash); }, update.resyncs);
    }
    planner_.set_monotone(options_.counts && holes_.holes() == 0);
    const ChangeRoom room = mirror != nullptr ? mirror->room(planner_.changed_words()) : ChangeRoom{};
    const TableChanges changes = planner_.commit(room);
    update.epoch = changes.epoch;
    update.hashes = planner_.keys();
    const std::shared_ptr<const Memory> before = [this] {
      MutexLock lock(mutex_);
      return std::exchange(table_, planner_.table());
    }();  // which may have been the last holder of a table, and lets go of it without the lock
    if (mirror != nullptr) mirror->apply(changes, planner_.table()->words());
    return update;
  }

  void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
               PrefixAnswers& answers) const override {
    match(offsets, hashes, answers, [this](const SequenceHash& hash) { return key_of(hash); });
  }
  void look_up(std::span<const std::uint32_t> offsets, std::span<const std::uint64_t> fingerprints,
               PrefixAnswers& answers) const override {
    if constexpr (std::is_same_v<typename Slot::Key, std::uint64_t>) {
      match(offsets, fingerprints, answers, [](std::uint64_t fingerprint) { return fingerprint; });
    } else {
      static_cast<void>(offsets), static_cast<void>(fingerprints), static_cast<void>(answers);
      KVBM_ASSERT(false, "an exact index knows no fingerprints");
    }
  }

  void count(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
             PrefixAnswers& answers) const override {
    answers.hints.clear();
    answer(offsets, hashes, answers, [this](const auto& batch) {
      count_on_host(batch, 0, batch.requests, [this](const SequenceHash& hash) { return key_of(hash); });
    });
  }
  [[nodiscard]] bool counts_by_search() const noexcept override {
    return kernels::load_table(&table()->view().header()->monotone) != 0;
  }

  [[nodiscard]] std::uint64_t fingerprint(const SequenceHash& hash) const noexcept override {
    const std::uint64_t cut = kernels::fingerprint_of(hash) & mask_;
    return cut != 0 ? cut : 1;
  }
  void check_invariants() const override { planner_.check_invariants(); }

 private:
  using Memory = PrefixTableMemory<Slot>;

  [[nodiscard]] typename Slot::Key key_of(const SequenceHash& hash) const noexcept {
    if constexpr (std::is_same_v<typename Slot::Key, std::uint64_t>) {
      return fingerprint(hash);
    } else {
      return Slot::key_of(hash);
    }
  }

  template <class Input, class KeyOf>
  void match(std::span<const std::uint32_t> offsets, std::span<const Input> inputs, PrefixAnswers& answers,
             KeyOf&& key_of) const {
    answers.hints.resize(inputs.size());
    answer(offsets, inputs, answers, [&](const auto& batch) { match_on_host(batch, 0, batch.requests, key_of); });
  }

  /// Prepares the prefixes, and has ask(batch) fill them, and what hints there are.
  template <class Input, class Ask>
  void answer(std::span<const std::uint32_t> offsets, std::span<const Input> inputs, PrefixAnswers& answers,
              Ask&& ask) const {
    const std::size_t requests = offsets.empty() ? 0 : offsets.size() - 1;
    KVBM_ASSERT(requests == 0 || offsets.back() <= inputs.size(), "a request lies beyond the hashes");
    answers.prefixes.resize(requests);
    const std::shared_ptr<const Memory> table = this->table();
    const auto view = table->view();
    answers.epoch_before = kernels::load_table(&view.header()->finished);
    ask(kernels::PrefixMatchBatch<Slot, Input>{.table = view,
                                               .keys = inputs.data(),
                                               .offsets = offsets.data(),
                                               .requests = static_cast<std::uint32_t>(requests),
                                               .blocks_max = 0,
                                               .hints = answers.hints.data(),
                                               .prefixes = answers.prefixes.data(),
                                               .epochs = nullptr,
                                               .done = nullptr,
                                               .done_value = 0,
                                               .blocks_left = nullptr});
    answers.epoch_after = kernels::load_table(&view.header()->begun);
  }

  [[nodiscard]] std::shared_ptr<const Memory> table() const {
    MutexLock lock(mutex_);
    return table_;
  }

  const PrefixIndexOptions options_;
  const std::uint64_t mask_;
  std::uint64_t blocks_ = 0;
  PrefixPlanner<Slot> planner_;
  LineageHoles holes_;
  std::vector<IndexFeed> feeds_;
  mutable Mutex mutex_;
  std::shared_ptr<const Memory> table_ KVBM_GUARDED_BY(mutex_) = planner_.table();
};

PrefixIndex::PrefixIndex(PrefixIndexOptions options) {
  if (options.fingerprint_bits < 8 || options.fingerprint_bits > 64) {
    throw std::invalid_argument("fingerprint_bits is " + std::to_string(options.fingerprint_bits) + ", not 8 to 64");
  }
  if (options.exact) {
    impl_ = std::make_unique<Table<kernels::ExactSlot>>(options);
  } else {
    impl_ = std::make_unique<Table<kernels::FingerprintSlot>>(options);
  }
}

PrefixIndex::PrefixIndex(PrefixIndex&&) noexcept = default;
PrefixIndex& PrefixIndex::operator=(PrefixIndex&&) noexcept = default;
PrefixIndex::~PrefixIndex() = default;

void PrefixIndex::add_source(Source source) {
  if (source.log == nullptr) throw std::invalid_argument("the manager has no change log: ManagerOptions::change_log");
  if (impl_->tiers.size() == BlockHint::kTiers) throw std::invalid_argument("an index follows 15 managers at most");
  impl_->tiers.reserve(impl_->tiers.size() + 1);
  const ManagerId manager = source.manager;
  impl_->add(std::move(source));
  impl_->tiers.push_back(manager);
}

PrefixIndex::Update PrefixIndex::update() { return impl_->update(nullptr); }
PrefixIndex::Update PrefixIndex::update(TableMirror* mirror) { return impl_->update(mirror); }

void PrefixIndex::look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                          PrefixAnswers& answers) const {
  impl_->look_up(offsets, hashes, answers);
}

void PrefixIndex::look_up(std::span<const std::uint32_t> offsets, std::span<const std::uint64_t> fingerprints,
                          PrefixAnswers& answers) const {
  impl_->look_up(offsets, fingerprints, answers);
}

void PrefixIndex::look_up(const TokenRequests& requests, PrefixAnswers& answers) const {
  find_blocks(requests, answers.offsets);
  impl_->look_up(answers.offsets, hash_requests(requests, answers.offsets), answers);
}

void PrefixIndex::count(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                        PrefixAnswers& answers) const {
  impl_->count(offsets, hashes, answers);
}

bool PrefixIndex::counts_by_search() const noexcept { return impl_->counts_by_search(); }

std::uint64_t PrefixIndex::fingerprint(const SequenceHash& hash) const noexcept { return impl_->fingerprint(hash); }

unsigned PrefixIndex::tier_of(ManagerId manager) const noexcept {
  unsigned tier = 0;
  while (tier < impl_->tiers.size() && impl_->tiers[tier] != manager) ++tier;
  KVBM_ASSERT(tier < impl_->tiers.size(), "the index does not follow this manager");
  return tier;
}

std::size_t PrefixIndex::leading(std::span<const BlockHint> hints, unsigned tier) noexcept {
  std::size_t count = 0;
  while (count < hints.size() && hints[count].present() && hints[count].tier() == tier) ++count;
  return count;
}

void PrefixIndex::check_invariants() const { impl_->check_invariants(); }

}  // namespace kvbm
