#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/base/sequence_hash.hpp"

namespace kvbm {

/// A map from positional hashes to values for many threads. It answers what the reference's tree of one locked map per
/// position answers, laid out otherwise: position 0 is the hottest of all keys, so locks are striped by the bits of the
/// hash and not by position; a look-up never makes an entry; and an erased entry leaves nothing behind, so memory
/// follows the largest number of entries held at a time, not the number of positions ever seen.
///
/// Threads  all; a Slot holds one of 64 locks until it is gone. A thread that holds one must not ask for a second, nor
///          call size(), empty() or keys_at().
/// Cost     prefix: one lock, one hash look-up. size, empty: 64 locks. keys_at: all entries.
template <class V, class K = SequenceHash>
class PositionalMap {
 public:
  /// One key's place in the map, and the right to change it.
  class [[nodiscard]] Slot {
   public:
    Slot(const Slot&) = delete;
    Slot& operator=(const Slot&) = delete;

    /// The value, good as long as this slot; null if there is none.
    [[nodiscard]] V* find() {
      const auto entry = entries_.find(key_);
      return entry == entries_.end() ? nullptr : &entry->second;
    }
    /// Sets the value and returns the former one, for the caller to destroy behind the slot.
    std::optional<V> put(V value) {
      const auto [entry, inserted] = entries_.try_emplace(key_, std::move(value));
      if (inserted) return std::nullopt;
      return std::exchange(entry->second, std::move(value));
    }
    /// Removes the value and returns it.
    std::optional<V> take() {
      auto entry = entries_.extract(key_);
      if (entry.empty()) return std::nullopt;
      return std::move(entry.mapped());
    }

   private:
    friend class PositionalMap;
    Slot(Mutex& mutex, std::unordered_map<K, V>& entries, const K& key) : lock_(mutex), entries_(entries), key_(key) {}

    MutexLock lock_;
    std::unordered_map<K, V>& entries_;
    K key_;
  };

  /// Waits for the key's lock.
  [[nodiscard]] Slot prefix(const K& key) KVBM_NO_THREAD_SAFETY_ANALYSIS {  // the slot locks before it looks
    Stripe& stripe = stripes_[(std::hash<K>{}(key) >> 16) % kStripes];  // other bits than those that choose a bucket
    return Slot(stripe.mutex, stripe.entries, key);
  }

  /// The keys at a position, in no order; nothing if there are none.
  [[nodiscard]] std::optional<std::vector<K>> keys_at(std::uint64_t position) const {
    std::vector<K> keys;
    for (const Stripe& stripe : stripes_) {
      const MutexLock lock(stripe.mutex);
      for (const auto& [key, value] : stripe.entries) {
        if (key.position() == position) keys.push_back(key);
      }
    }
    if (keys.empty()) return std::nullopt;
    return keys;
  }

  [[nodiscard]] std::size_t size() const {
    std::size_t size = 0;
    for (const Stripe& stripe : stripes_) {
      const MutexLock lock(stripe.mutex);
      size += stripe.entries.size();
    }
    return size;
  }
  [[nodiscard]] bool empty() const { return size() == 0; }

 private:
  static constexpr std::size_t kStripes = 64;

  struct alignas(64) Stripe {
    mutable Mutex mutex;
    std::unordered_map<K, V> entries KVBM_GUARDED_BY(mutex);
  };

  std::array<Stripe, kStripes> stripes_;
};

}  // namespace kvbm
