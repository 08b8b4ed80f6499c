#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/registry/frequency_tracker.hpp"
#include "kvbm/registry/registration.hpp"

namespace kvbm {

struct RegistryOptions {
  /// Counts how often hashes are used; MultiLruEviction needs one.
  std::shared_ptr<FrequencyTracker> tracker{};
  /// Called once for each hash that becomes registered, before it is counted, with no lock held.
  /// An object attached here dies when the registration does: after the last block of any tier that carries the hash
  /// has been given up, and the last handle and weak block have gone.
  std::function<void(const Registration&)> on_registered{};
};

/// Which hashes are registered, in which tiers, and what hangs on them. One registry may serve managers of all tiers.
///
/// A hash is registered as long as some block carries it: the stores' own tables say so, and nothing is written down
/// twice. A record of its own comes into being only when somebody asks for a Registration or a weak block, or when
/// there is an on_registered hook; presence is therefore never behind the stores.
///
/// Threads   any. A copy is the same registry.
/// Lifetime  lives on in managers and registrations.
class BlockRegistry {
 public:
  explicit BlockRegistry(RegistryOptions options = {});

  [[nodiscard]] bool has_frequency_tracking() const noexcept { return tracker() != nullptr; }
  [[nodiscard]] const std::shared_ptr<FrequencyTracker>& tracker() const noexcept;
  /// One use of `hash`; nothing without a tracker.
  void touch(const SequenceHash& hash) const;
  /// Estimated uses of `hash`, 0 without a tracker.
  [[nodiscard]] std::uint32_t count(const SequenceHash& hash) const;

  [[nodiscard]] bool is_registered(const SequenceHash& hash) const;
  /// Cost  O(1) with one manager and no records; else O(blocks of all managers but the first, and records).
  [[nodiscard]] std::size_t registered_count() const;

  /// The registration of `hash`, made now if there is none. A new one runs the hook and counts one use.
  [[nodiscard]] Registration register_hash(const SequenceHash& hash) const;
  /// The same for many; hooks and counts follow in input order, once per new hash.
  [[nodiscard]] std::vector<Registration> register_hashes(std::span<const SequenceHash> hashes) const;
  /// The registration of `hash` if it is registered; with `touch`, that counts one use.
  [[nodiscard]] std::optional<Registration> find(const SequenceHash& hash, bool touch) const;
  /// register_hash() without hook and count.
  [[nodiscard]] Registration transfer_registration(const SequenceHash& hash) const;

  /// For each hash, in input order: does a block of one of these tiers carry it now?
  [[nodiscard]] std::vector<std::pair<SequenceHash, bool>> check_presence_any(std::span<const SequenceHash> hashes,
                                                                              std::span<const TierKey> tiers) const;
  template <class Tier>
  [[nodiscard]] std::vector<std::pair<SequenceHash, bool>> check_presence(std::span<const SequenceHash> hashes) const {
    const TierKey key = tier_key<Tier>();
    return check_presence_any(hashes, {&key, 1});
  }

  friend bool operator==(const BlockRegistry& a, const BlockRegistry& b) noexcept { return a.state_ == b.state_; }

  /// For managers.
  [[nodiscard]] const std::shared_ptr<RegistryState>& state() const noexcept { return state_; }

 private:
  std::shared_ptr<RegistryState> state_;
};

}  // namespace kvbm
