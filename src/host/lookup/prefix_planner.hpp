#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kernels/prefix_table.hpp"
#include "src/host/base/zeroed_array.hpp"

namespace kvbm {

/// The memory of one table on the host. Zero bits are an empty table.
template <class Slot>
class PrefixTableMemory {
 public:
  using View = kernels::PrefixTableView<Slot>;

  /// Errors  std::bad_alloc.
  explicit PrefixTableMemory(std::uint64_t units) : units_(units), slots_(aligned(View::all_slots(units))) {}

  [[nodiscard]] View view() const noexcept { return {first(), units_}; }
  [[nodiscard]] Slot* slots() const noexcept { return first(); }
  [[nodiscard]] std::uint64_t units() const noexcept { return units_; }
  [[nodiscard]] std::span<const kernels::TableWord> words() const noexcept {
    return {reinterpret_cast<const kernels::TableWord*>(first()),
            static_cast<std::size_t>(View::all_slots(units_)) * View::kWordsPerSlot};
  }

 private:
  static constexpr std::size_t kUnitBytes = View::kUnitSlots * sizeof(Slot);
  // ZeroedArray aligns to cache lines; larger units need some room to shift.
  static std::size_t aligned(std::uint64_t slots) noexcept {
    return static_cast<std::size_t>(slots) + View::kUnitSlots;
  }
  [[nodiscard]] Slot* first() const noexcept {
    const auto address = reinterpret_cast<std::uintptr_t>(slots_.data());
    return reinterpret_cast<Slot*>((address + kUnitBytes - 1) / kUnitBytes * kUnitBytes);
  }

  std::uint64_t units_;
  ZeroedArray<Slot> slots_;
};

/// What a batch did to a table: `words[i]` is now at word `places[i]`, all places different; or the whole table was
/// replaced by a larger one.
struct TableChanges {
  std::uint64_t epoch;
  bool replaced;
  std::span<const std::uint32_t> places;
  std::span<const kernels::TableWord> words;
};

/// Room for a batch's words and their places, equally many; empty: none. Pinned memory saves a mirror a copy.
struct ChangeRoom {
  std::span<kernels::TableWord> words;
  std::span<std::uint32_t> places;
};

/// Decides where every key of a table lies. The table it writes is the one that readers on the host read, and the image
/// of which copies on devices are kept up to date by the words that changed.
///
/// A key may have several hints: copies of a block in several tiers, or blocks with the same fingerprint. The table
/// shows one of the fastest tier; the others wait in lists beside it.
///
/// Threads   one at a time; readers of the table may run beside it. They see a batch whole, or part of it together with
///           a header that says so.
/// Cost      add, remove: amortised O(1), a few cache lines. A table grows, all at once, when it is 4/5 full.
template <class SlotType>
class PrefixPlanner {
 public:
  using Slot = SlotType;
  using Key = typename Slot::Key;
  using Memory = PrefixTableMemory<Slot>;
  using View = typename Memory::View;

  struct Options {
    std::uint64_t keys = 0;  ///< room for so many before the table grows
    double load_max = 0.8;   ///< of the units' slots
  };

  /// Errors  std::bad_alloc.
  explicit PrefixPlanner(Options options);

  /// One more hint for `key`; nothing if it is there already. Errors  std::bad_alloc, with the table as it was.
  void add(const Key& key, BlockHint hint);
  /// Takes back a hint that was added. Returns whether it was there.
  bool remove(const Key& key, BlockHint hint) noexcept;
  /// Whether every block that is there has its parent there. False at first.
  void set_monotone(bool monotone) noexcept;
  /// Ends a batch. The spans are good until the next add or remove. They lie in `room` if it suffices, else in memory
  /// of the planner's. Errors  std::bad_alloc, to be called again.
  [[nodiscard]] TableChanges commit(ChangeRoom room = {});
  /// How many words the batch has changed so far; none of a table that was replaced.
  [[nodiscard]] std::size_t changed_words() const noexcept { return replaced_ ? 0 : places_.size(); }

  /// Calls use(key, hint) for all hints.
  template <class Use>
  void for_each(Use&& use) const;

  /// The table as it is, kept alive by whoever holds it. It stays readable, and as it was, when the planner goes on to
  /// a larger one.
  [[nodiscard]] const std::shared_ptr<const Memory>& table() const noexcept { return shared_; }
  [[nodiscard]] View view() const noexcept { return memory_->view(); }
  [[nodiscard]] std::uint64_t keys() const noexcept { return keys_; }
  [[nodiscard]] std::uint64_t epoch() const noexcept { return epoch_; }
  [[nodiscard]] double load() const noexcept {
    return static_cast<double>(keys_) / static_cast<double>(memory_->units() * View::kUnitSlots);
  }
  [[nodiscard]] std::uint32_t stashed() const noexcept { return stashed_; }
  /// Aborts if marks, lists or counts do not add up. For tests.
  void check_invariants() const;

 private:
  static constexpr std::uint32_t kNone = 0xFFFF'FFFFu;
  static constexpr std::uint32_t kNodes = 256;  // units looked at to make room for one key
  struct Extra {
    std::uint64_t hint;
    std::uint32_t next;  // index + 1
  };
  /// A unit that is full, and which slot of which unit before it could move into it.
  struct Node {
    std::uint64_t unit;
    std::uint32_t before;
    std::uint32_t slot;
  };

  static constexpr std::uint64_t unit_begin(std::uint64_t unit) noexcept { return (unit + 1) * View::kUnitSlots; }
  [[nodiscard]] std::uint64_t stash_begin() const noexcept { return unit_begin(memory_->units()); }
  [[nodiscard]] static std::uint64_t unit_of(std::uint64_t place) noexcept { return place / View::kUnitSlots - 1; }
  [[nodiscard]] const Slot& at(std::uint64_t place) const noexcept { return memory_->slots()[place]; }
  [[nodiscard]] static Key key_in(const Slot& slot) noexcept;
  [[nodiscard]] static BlockHint hint_in(const Slot& slot) noexcept { return BlockHint::from_bits(slot.value); }
  [[nodiscard]] std::uint64_t find(const Key& key) const noexcept;
  [[nodiscard]] std::uint64_t find_between(std::uint64_t begin, std::uint64_t end, const Key& key) const noexcept;
  [[nodiscard]] std::uint64_t free_in(std::uint64_t unit) const noexcept;
  [[nodiscard]] bool place_key(const Key& key, BlockHint hint, std::uint32_t more) noexcept;
  [[nodiscard]] std::uint64_t make_room(std::uint64_t home, std::uint64_t second) noexcept;
  void move(std::uint64_t from, std::uint64_t to) noexcept;
  void erase(std::uint64_t place) noexcept;
  void pull_from_stash(std::uint64_t unit) noexcept;
  void drop_stashed(std::uint32_t index) noexcept;
  void count_elsewhere(const Key& key, std::uint64_t place, int change) noexcept;
  void grow(std::uint64_t units);
  void push_more(std::uint64_t place, BlockHint hint);
  bool remove_more(std::uint64_t place, BlockHint hint) noexcept;
  [[nodiscard]] BlockHint pop_best(std::uint64_t place) noexcept;

  void begin_batch() noexcept;
  void write(std::uint64_t place, const Key& key, BlockHint hint) noexcept;
  void write_value(std::uint64_t place, std::uint64_t value) noexcept;
  void set_stashed(std::uint32_t count) noexcept;
  void note_word(std::uint64_t word) noexcept;
  void set_memory(std::shared_ptr<Memory> memory);

  double load_max_;
  std::shared_ptr<Memory> memory_;
  std::shared_ptr<const Memory> shared_;
  std::vector<std::uint32_t> more_;       // by place: index + 1 of the first further hint of its key
  std::vector<std::uint32_t> elsewhere_;  // by unit: keys at home there that lie elsewhere
  std::vector<Extra> extras_;
  std::uint32_t unused_extras_ = 0;  // index + 1 of the first
  std::uint64_t keys_ = 0;
  std::uint64_t keys_max_ = 0;
  std::uint32_t stashed_ = 0;
  bool monotone_ = false;
  std::uint64_t epoch_ = 0;  // the last batch that was finished
  bool in_batch_ = false;
  bool replaced_ = true;
  std::vector<std::uint64_t> noted_;  // a bit for each word in places_
  std::vector<std::uint32_t> places_;
  std::vector<std::uint32_t> sent_places_;
  std::vector<kernels::TableWord> words_;
};

template <class Slot>
template <class Use>
void PrefixPlanner<Slot>::for_each(Use&& use) const {
  const std::uint64_t end = stash_begin() + stashed_;
  for (std::uint64_t place = unit_begin(0); place < end; ++place) {
    if (!hint_in(at(place)).present()) continue;
    use(key_in(at(place)), hint_in(at(place)));
    for (std::uint32_t extra = more_[place]; extra != 0; extra = extras_[extra - 1].next) {
      use(key_in(at(place)), BlockHint::from_bits(extras_[extra - 1].hint));
    }
  }
}

extern template class PrefixPlanner<kernels::FingerprintSlot>;
extern template class PrefixPlanner<kernels::ExactSlot>;

}  // namespace kvbm
