#include "src/host/lookup/prefix_planner.hpp"

#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <cstring>
#include <new>
#include <type_traits>
#include <utility>

#include "kvbm/base/assert.hpp"

namespace kvbm {
namespace {

// Words change under readers. Release: whoever sees one also sees that a batch was begun.
void store_word(std::uint64_t& word, std::uint64_t value) noexcept {
  std::atomic_ref(word).store(value, std::memory_order_release);
}

constexpr std::uint64_t kFewestUnits = 2;

std::uint64_t units_for(std::uint64_t keys, double load_max, unsigned unit_slots) noexcept {
  const double units = std::ceil(static_cast<double>(keys) / (load_max * unit_slots));
  return std::max(kFewestUnits, static_cast<std::uint64_t>(units));
}

}  // namespace

template <class Slot>
PrefixPlanner<Slot>::PrefixPlanner(Options options) : load_max_(options.load_max) {
  KVBM_ASSERT(load_max_ > 0 && load_max_ <= 0.95, "a table is never quite full");
  set_memory(std::make_shared<Memory>(units_for(options.keys, load_max_, View::kUnitSlots)));
}

/// Starts over with an empty table.
template <class Slot>
void PrefixPlanner<Slot>::set_memory(std::shared_ptr<Memory> memory) {
  const std::uint64_t slots = View::all_slots(memory->units());
  if (slots * View::kWordsPerSlot > 0xFFFF'FFFFu) throw std::bad_alloc();  // places of words have 32 bits
  more_.assign(slots, 0);
  elsewhere_.assign(memory->units(), 0);
  noted_.assign((slots * View::kWordsPerSlot + 63) / 64, 0);
  keys_max_ = static_cast<std::uint64_t>(load_max_ * static_cast<double>(memory->units() * View::kUnitSlots));
  memory_ = std::move(memory);
  shared_ = memory_;
}

template <class Slot>
auto PrefixPlanner<Slot>::key_in(const Slot& slot) noexcept -> Key {
  if constexpr (std::is_same_v<Key, SequenceHash>) {
    return SequenceHash::from_bits(slot.high, slot.low);
  } else {
    return slot.key;
  }
}

template <class Slot>
std::uint64_t PrefixPlanner<Slot>::find_between(std::uint64_t begin, std::uint64_t end, const Key& key) const noexcept {
  while (begin != end && !at(begin).holds(key)) ++begin;
  return begin;
}

/// Where a key lies; 0, which is in the header, if nowhere.
template <class Slot>
std::uint64_t PrefixPlanner<Slot>::find(const Key& key) const noexcept {
  const std::uint64_t home = view().home(key);
  const auto find_in_unit = [&](std::uint64_t unit) {
    const std::uint64_t end = unit_begin(unit + 1);
    const std::uint64_t place = find_between(unit_begin(unit), end, key);
    return place != end ? place : 0;
  };
  std::uint64_t place = find_in_unit(home);
  if (place != 0 || elsewhere_[home] == 0) return place;
  place = find_in_unit(view().second(key));
  if (place != 0) return place;
  const std::uint64_t end = stash_begin() + stashed_;
  place = find_between(stash_begin(), end, key);
  return place != end ? place : 0;
}

/// A free slot of a unit; 0 if there is none.
template <class Slot>
std::uint64_t PrefixPlanner<Slot>::free_in(std::uint64_t unit) const noexcept {
  for (std::uint64_t place = unit_begin(unit); place != unit_begin(unit + 1); ++place) {
    if (!hint_in(at(place)).present()) return place;
  }
  return 0;
}

// Writing. Every word that changes is noted once a batch.

template <class Slot>
void PrefixPlanner<Slot>::begin_batch() noexcept {
  if (in_batch_) return;
  in_batch_ = true;
  auto* header = reinterpret_cast<kernels::PrefixTableHeader*>(memory_->slots());
  store_word(header->begun, epoch_ + 1);
}

template <class Slot>
void PrefixPlanner<Slot>::note_word(std::uint64_t word) noexcept {
  if (replaced_) return;
  std::uint64_t& bits = noted_[word / 64];
  const std::uint64_t bit = std::uint64_t{1} << (word % 64);
  if ((bits & bit) != 0) return;
  if (places_.size() == places_.capacity()) {
    // When half of a table changes, or there is no memory for a list, it is as well copied as a whole.
    replaced_ = places_.size() >= noted_.size() * 64 / 2;
    try {
      if (!replaced_) places_.reserve(std::max<std::size_t>(1024, 2 * places_.size()));
    } catch (const std::bad_alloc&) {
      replaced_ = true;
    }
    if (replaced_) return;
  }
  bits |= bit;
  places_.push_back(static_cast<std::uint32_t>(word));
}

template <class Slot>
void PrefixPlanner<Slot>::write_value(std::uint64_t place, std::uint64_t value) noexcept {
  begin_batch();
  store_word(memory_->slots()[place].value, value);
  note_word(place * View::kWordsPerSlot + (View::kWordsPerSlot - 1));
}

/// Puts a key into a slot; no hint empties it. The unit's mark stays.
template <class Slot>
void PrefixPlanner<Slot>::write(std::uint64_t place, const Key& key, BlockHint hint) noexcept {
  begin_batch();
  Slot& slot = memory_->slots()[place];
  if constexpr (std::is_same_v<Key, SequenceHash>) {
    store_word(slot.high, key.high());
    store_word(slot.low, key.low());
    note_word(place * View::kWordsPerSlot);
  } else {
    store_word(slot.key, hint.present() ? key : 0);
  }
  write_value(place, hint.bits() | (slot.value & BlockHint::kTableBit));
}

template <class Slot>
void PrefixPlanner<Slot>::set_stashed(std::uint32_t count) noexcept {
  begin_batch();
  stashed_ = count;
  store_word(reinterpret_cast<kernels::PrefixTableHeader*>(memory_->slots())->stashed, count);
  note_word(offsetof(kernels::PrefixTableHeader, stashed) / sizeof(kernels::TableWord));
}

template <class Slot>
void PrefixPlanner<Slot>::set_monotone(bool monotone) noexcept {
  if (monotone == monotone_) return;
  begin_batch();
  monotone_ = monotone;
  store_word(reinterpret_cast<kernels::PrefixTableHeader*>(memory_->slots())->monotone, monotone ? 1 : 0);
  note_word(offsetof(kernels::PrefixTableHeader, monotone) / sizeof(kernels::TableWord));
}

/// A key came to `place` or left it: if that is not its home, its home's count changes, and perhaps its mark.
template <class Slot>
void PrefixPlanner<Slot>::count_elsewhere(const Key& key, std::uint64_t place, int change) noexcept {
  const std::uint64_t home = view().home(key);
  if (unit_of(place) == home) return;
  std::uint32_t& count = elsewhere_[home];
  count += static_cast<std::uint32_t>(change);
  const std::uint64_t first = unit_begin(home);
  const bool was_marked = View::marked(at(first));
  if (was_marked != (count != 0)) write_value(first, at(first).value ^ BlockHint::kTableBit);
}

// Placing.

/// A new copy first, then the old one goes: readers beside a move find one of them.
template <class Slot>
void PrefixPlanner<Slot>::move(std::uint64_t from, std::uint64_t to) noexcept {
  const Key key = key_in(at(from));
  write(to, key, hint_in(at(from)));
  count_elsewhere(key, to, +1);
  count_elsewhere(key, from, -1);
  more_[to] = std::exchange(more_[from], 0);
  write(from, Key{}, BlockHint());
}

/// Frees a slot in one of two full units by moving keys to their other units, along the shortest way that a bounded
/// search finds. 0 if it finds none.
template <class Slot>
std::uint64_t PrefixPlanner<Slot>::make_room(std::uint64_t home, std::uint64_t second) noexcept {
  std::array<Node, kNodes> nodes;
  nodes[0] = {home, kNone, 0};
  nodes[1] = {second, kNone, 0};
  std::uint32_t count = 2;
  const auto on_the_way = [&](std::uint32_t node, std::uint64_t unit) {
    while (node != kNone && nodes[node].unit != unit) node = nodes[node].before;
    return node != kNone;
  };
  for (std::uint32_t node = 0; node < count; ++node) {
    for (std::uint32_t slot = 0; slot < View::kUnitSlots; ++slot) {
      const std::uint64_t from = unit_begin(nodes[node].unit) + slot;
      const Key key = key_in(at(from));
      const std::uint64_t key_home = view().home(key);
      const std::uint64_t other = key_home == nodes[node].unit ? view().second(key) : key_home;
      if (on_the_way(node, other)) continue;
      std::uint64_t free = free_in(other);
      if (free == 0) {
        if (count < kNodes) nodes[count++] = {other, node, slot};
        continue;
      }
      move(from, free);
      free = from;
      for (std::uint32_t step = node; nodes[step].before != kNone; step = nodes[step].before) {
        const std::uint64_t next = unit_begin(nodes[nodes[step].before].unit) + nodes[step].slot;
        move(next, free);
        free = next;
      }
      return free;
    }
  }
  return 0;
}

/// False if there is no place left, not even in the stash; nothing has changed then.
template <class Slot>
bool PrefixPlanner<Slot>::place_key(const Key& key, BlockHint hint, std::uint32_t more) noexcept {
  const std::uint64_t home = view().home(key);
  const std::uint64_t second = view().second(key);
  std::uint64_t place = free_in(home);
  if (place == 0) place = free_in(second);
  if (place == 0) place = make_room(home, second);
  if (place == 0) {
    if (stashed_ == View::kStashSlots) return false;
    place = stash_begin() + stashed_;
    set_stashed(stashed_ + 1);
  }
  write(place, key, hint);
  more_[place] = more;
  count_elsewhere(key, place, +1);
  ++keys_;
  return true;
}

template <class Slot>
void PrefixPlanner<Slot>::drop_stashed(std::uint32_t index) noexcept {
  const std::uint64_t place = stash_begin() + index;
  const std::uint64_t last = stash_begin() + stashed_ - 1;
  if (place != last) {
    write(place, key_in(at(last)), hint_in(at(last)));
    more_[place] = std::exchange(more_[last], 0);
  }
  write(last, Key{}, BlockHint());
  more_[last] = 0;
  set_stashed(stashed_ - 1);
}

template <class Slot>
void PrefixPlanner<Slot>::erase(std::uint64_t place) noexcept {
  const Key key = key_in(at(place));
  count_elsewhere(key, place, -1);
  --keys_;
  if (place >= stash_begin()) return drop_stashed(static_cast<std::uint32_t>(place - stash_begin()));
  write(place, Key{}, BlockHint());
  more_[place] = 0;
  if (stashed_ != 0) pull_from_stash(unit_of(place));
}

/// A slot of `unit` is free: a stashed key that may lie there moves in.
template <class Slot>
void PrefixPlanner<Slot>::pull_from_stash(std::uint64_t unit) noexcept {
  for (std::uint32_t i = 0; i < stashed_; ++i) {
    const std::uint64_t from = stash_begin() + i;
    const Key key = key_in(at(from));
    if (view().home(key) != unit && view().second(key) != unit) continue;
    const std::uint64_t to = free_in(unit);
    write(to, key, hint_in(at(from)));
    more_[to] = std::exchange(more_[from], 0);
    count_elsewhere(key, to, +1);
    count_elsewhere(key, from, -1);
    return drop_stashed(i);
  }
}

/// The same keys in a table of `units`, or more if they do not fit. The old table stays as it is.
template <class Slot>
void PrefixPlanner<Slot>::grow(std::uint64_t units) {
  for (bool fits = false; !fits; units += units / 2 + 1) {
    PrefixPlanner larger({.keys = 0, .load_max = load_max_});
    larger.set_memory(std::make_shared<Memory>(units));
    larger.epoch_ = epoch_;
    fits = true;
    const std::uint64_t end = stash_begin() + stashed_;
    for (std::uint64_t place = unit_begin(0); place < end && fits; ++place) {
      if (hint_in(at(place)).present()) fits = larger.place_key(key_in(at(place)), hint_in(at(place)), more_[place]);
    }
    if (!fits) continue;
    larger.extras_ = std::move(extras_);
    larger.unused_extras_ = unused_extras_;
    larger.set_monotone(monotone_);
    *this = std::move(larger);
    begin_batch();
  }
}

// The hints of a key beside the one that is shown.

template <class Slot>
void PrefixPlanner<Slot>::push_more(std::uint64_t place, BlockHint hint) {
  std::uint32_t extra = unused_extras_;
  if (extra == 0) {
    extras_.push_back({});
    extra = static_cast<std::uint32_t>(extras_.size());
  } else {
    unused_extras_ = extras_[extra - 1].next;
  }
  extras_[extra - 1] = {hint.bits(), more_[place]};
  more_[place] = extra;
}

template <class Slot>
bool PrefixPlanner<Slot>::remove_more(std::uint64_t place, BlockHint hint) noexcept {
  for (std::uint32_t* link = &more_[place]; *link != 0; link = &extras_[*link - 1].next) {
    if (extras_[*link - 1].hint != hint.bits()) continue;
    const std::uint32_t extra = *link;
    *link = std::exchange(extras_[extra - 1].next, unused_extras_);
    unused_extras_ = extra;
    return true;
  }
  return false;
}

/// Takes one of the fastest tier out of a key's list. Precondition: there is one.
template <class Slot>
BlockHint PrefixPlanner<Slot>::pop_best(std::uint64_t place) noexcept {
  BlockHint best = BlockHint::from_bits(extras_[more_[place] - 1].hint);
  for (std::uint32_t extra = more_[place]; extra != 0; extra = extras_[extra - 1].next) {
    const BlockHint hint = BlockHint::from_bits(extras_[extra - 1].hint);
    if (hint.tier() < best.tier()) best = hint;
  }
  static_cast<void>(remove_more(place, best));
  return best;
}

template <class Slot>
void PrefixPlanner<Slot>::add(const Key& key, BlockHint hint) {
  KVBM_ASSERT(hint.present(), "an absent hint says nothing");
  const std::uint64_t place = find(key);
  if (place == 0) {
    if (keys_ >= keys_max_) grow(2 * memory_->units());
    while (!place_key(key, hint, 0)) grow(2 * memory_->units());
    return;
  }
  const BlockHint shown = hint_in(at(place));
  if (shown == hint) return;
  for (std::uint32_t extra = more_[place]; extra != 0; extra = extras_[extra - 1].next) {
    if (extras_[extra - 1].hint == hint.bits()) return;
  }
  const bool faster = hint.tier() < shown.tier();
  push_more(place, faster ? shown : hint);
  if (faster) write_value(place, hint.bits() | (at(place).value & BlockHint::kTableBit));
}

template <class Slot>
bool PrefixPlanner<Slot>::remove(const Key& key, BlockHint hint) noexcept {
  const std::uint64_t place = find(key);
  if (place == 0) return false;
  if (hint_in(at(place)) != hint) return remove_more(place, hint);
  if (more_[place] == 0) {
    erase(place);
  } else {
    write_value(place, pop_best(place).bits() | (at(place).value & BlockHint::kTableBit));
  }
  return true;
}

template <class Slot>
TableChanges PrefixPlanner<Slot>::commit(ChangeRoom room) {
  const bool changed = in_batch_ || replaced_;
  const kernels::TableWord* const all = memory_->words().data();
  const std::size_t count = changed_words();
  const bool fits = count != 0 && count <= room.words.size() && count <= room.places.size();
  if (!fits) words_.resize(count);
  const std::span<kernels::TableWord> words = fits ? room.words.first(count) : std::span(words_);
  for (std::size_t i = 0; i < count; ++i) words[i] = all[places_[i]];
  for (const std::uint32_t place : places_) noted_[place / 64] &= ~(std::uint64_t{1} << (place % 64));
  if (fits) std::ranges::copy(places_, room.places.begin());
  if (changed) {
    ++epoch_;
    auto* header = reinterpret_cast<kernels::PrefixTableHeader*>(memory_->slots());
    store_word(header->begun, epoch_);
    store_word(header->finished, epoch_);
  }
  in_batch_ = false;
  const bool replaced = std::exchange(replaced_, false);
  std::swap(places_, sent_places_);
  places_.clear();
  if (replaced) return {epoch_, true, {}, {}};
  return {epoch_, false, fits ? room.places.first(count) : std::span(sent_places_), words};
}

template <class Slot>
void PrefixPlanner<Slot>::check_invariants() const {
  std::uint64_t keys = 0, listed = 0;
  std::vector<std::uint32_t> elsewhere(memory_->units(), 0);
  for (std::uint64_t place = unit_begin(0); place < View::all_slots(memory_->units()); ++place) {
    const Slot& slot = at(place);
    if (!hint_in(slot).present()) {
      KVBM_ASSERT(more_[place] == 0, "an empty slot has further hints");
      KVBM_ASSERT(key_in(slot) == Key{}, "an empty slot has a key");
      continue;
    }
    ++keys;
    const Key key = key_in(slot);
    const std::uint64_t home = view().home(key);
    const bool in_stash = place >= stash_begin();
    KVBM_ASSERT(!in_stash || place < stash_begin() + stashed_, "a key lies behind the stash");
    KVBM_ASSERT(in_stash || unit_of(place) == home || unit_of(place) == view().second(key), "a key is out of place");
    if (in_stash || unit_of(place) != home) ++elsewhere[home];
    KVBM_ASSERT(find(key) == place, "a key lies twice, or is not found");
    KVBM_ASSERT(view().find(key) == hint_in(slot), "a reader does not find a key");
    for (std::uint32_t extra = more_[place]; extra != 0; extra = extras_[extra - 1].next) {
      ++listed;
      KVBM_ASSERT(BlockHint::from_bits(extras_[extra - 1].hint).tier() >= hint_in(slot).tier(),
                  "a faster tier is not shown");
    }
  }
  KVBM_ASSERT(keys == keys_, "keys were miscounted");
  KVBM_ASSERT(elsewhere == elsewhere_, "keys away from home were miscounted");
  for (std::uint64_t unit = 0; unit < memory_->units(); ++unit) {
    KVBM_ASSERT(View::marked(at(unit_begin(unit))) == (elsewhere[unit] != 0), "a unit's mark is wrong");
  }
  std::uint64_t unused = 0;
  for (std::uint32_t extra = unused_extras_; extra != 0; extra = extras_[extra - 1].next) ++unused;
  KVBM_ASSERT(listed + unused == extras_.size(), "further hints were lost");
}

template class PrefixPlanner<kernels::FingerprintSlot>;
template class PrefixPlanner<kernels::ExactSlot>;

}  // namespace kvbm
