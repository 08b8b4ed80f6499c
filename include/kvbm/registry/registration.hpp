#pragma once

#include <functional>
#include <memory>
#include <span>
#include <utility>

#include "kvbm/base/sequence_hash.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/registry/attachments.hpp"

namespace kvbm {

class BlockRegistry;
class RegistryState;
struct RegistrationRecord;

/// A strong reference to what is known about one hash across all tiers: attachments, presence, touch callbacks.
/// The registration lives as long as a block of any tier carries the hash, or one of these, or a weak block.
///
/// Made by   BlockRegistry, ImmutableBlock::registration.
/// Threads   any.
/// Lifetime  may outlive the registry's other handles and all managers.
class Registration {
 public:
  Registration(const Registration& other) noexcept;
  Registration(Registration&& other) noexcept = default;
  Registration& operator=(Registration other) noexcept {
    std::swap(state_, other.state_);
    std::swap(record_, other.record_);
    return *this;
  }
  ~Registration();

  [[nodiscard]] const SequenceHash& hash() const noexcept;
  [[nodiscard]] bool is_from(const BlockRegistry& registry) const noexcept;
  /// Whether both are one registration: same registry, same hash, same life.
  [[nodiscard]] bool same_as(const Registration& other) const noexcept { return record_ == other.record_; }

  /// Whether a block of this tier carries the hash now: in use, a duplicate, or idle.
  template <class Tier>
  [[nodiscard]] bool has_block() const {
    const TierKey key = tier_key<Tier>();
    return has_any_block({&key, 1});
  }
  [[nodiscard]] bool has_any_block(std::span<const TierKey> tiers) const;

  /// See Attachments.
  template <class A>
  [[nodiscard]] Result<void, AttachmentError> attach_unique(A value) const {
    return attachments().attach_unique(std::move(value));
  }
  template <class A>
  [[nodiscard]] Result<void, AttachmentError> attach(A value) const {
    return attachments().attach(std::move(value));
  }
  template <class A, class F>
  decltype(auto) with_all(F&& f) const {
    return attachments().template with_all<A>(std::forward<F>(f));
  }
  /// Calls f(A&) if there is a unique A. Returns whether it did.
  template <class A, class F>
  bool with_unique(F&& f) const {
    return with_all<A>([&](A* unique, std::span<A>) {
      if (unique != nullptr) std::forward<F>(f)(*unique);
      return unique != nullptr;
    });
  }
  /// Calls f(std::span<A>) with the values attached as multiple, possibly none.
  template <class A, class F>
  decltype(auto) with_multiple(F&& f) const {
    return with_all<A>([&](A*, std::span<A> values) -> decltype(auto) { return std::forward<F>(f)(values); });
  }

  /// Adds a callback for touch(). kvbm itself never touches; it is for users who agree on a meaning.
  void on_touch(std::function<void(const SequenceHash&)> callback) const;
  /// Runs the callbacks in the order they were added, with no lock held.
  void touch() const;

 private:
  friend class RegistryState;
  /// Takes over a reference that was counted already.
  Registration(std::shared_ptr<RegistryState> state, RegistrationRecord* record) noexcept
      : state_(std::move(state)), record_(record) {}

  [[nodiscard]] Attachments& attachments() const noexcept;

  std::shared_ptr<RegistryState> state_;  // null: moved from
  RegistrationRecord* record_;
};

}  // namespace kvbm
