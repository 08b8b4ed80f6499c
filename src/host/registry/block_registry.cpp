#include "kvbm/registry/block_registry.hpp"

#include "src/host/registry/registry_state.hpp"

namespace kvbm {

BlockRegistry::BlockRegistry(RegistryOptions options) : state_(std::make_shared<RegistryState>(std::move(options))) {}

const std::shared_ptr<FrequencyTracker>& BlockRegistry::tracker() const noexcept { return state_->tracker(); }

void BlockRegistry::touch(const SequenceHash& hash) const {
  if (tracker() != nullptr) tracker()->touch(hash);
}

std::uint32_t BlockRegistry::count(const SequenceHash& hash) const {
  return tracker() == nullptr ? 0 : tracker()->count(hash);
}

bool BlockRegistry::is_registered(const SequenceHash& hash) const { return state_->is_registered(hash); }

std::size_t BlockRegistry::registered_count() const { return state_->registered_count(); }

Registration BlockRegistry::register_hash(const SequenceHash& hash) const {
  return std::move(register_hashes({&hash, 1}).front());
}

std::vector<Registration> BlockRegistry::register_hashes(std::span<const SequenceHash> hashes) const {
  return state_->register_hashes(hashes);
}

std::optional<Registration> BlockRegistry::find(const SequenceHash& hash, bool touch) const {
  std::optional<Registration> found = state_->find(hash);
  if (found && touch) this->touch(hash);
  return found;
}

Registration BlockRegistry::transfer_registration(const SequenceHash& hash) const { return state_->transfer(hash); }

std::vector<std::pair<SequenceHash, bool>> BlockRegistry::check_presence_any(std::span<const SequenceHash> hashes,
                                                                             std::span<const TierKey> tiers) const {
  std::vector<std::pair<SequenceHash, bool>> presence;
  presence.reserve(hashes.size());
  for (const SequenceHash& hash : hashes) presence.emplace_back(hash, state_->has_any_block(hash, tiers));
  return presence;
}

Registration::Registration(const Registration& other) noexcept : state_(other.state_), record_(other.record_) {
  if (state_ != nullptr) state_->add_reference(*record_);
}

Registration::~Registration() {
  if (state_ != nullptr) state_->drop_reference(*record_);
}

const SequenceHash& Registration::hash() const noexcept { return record_->hash; }

bool Registration::is_from(const BlockRegistry& registry) const noexcept { return registry.state() == state_; }

bool Registration::has_any_block(std::span<const TierKey> tiers) const {
  return state_->has_any_block(record_->hash, tiers);
}

Attachments& Registration::attachments() const noexcept { return *record_->attachments; }

void Registration::on_touch(std::function<void(const SequenceHash&)> callback) const {
  MutexLock lock(record_->callbacks_mutex);
  record_->callbacks.push_back(std::move(callback));
}

void Registration::touch() const {
  std::vector<std::function<void(const SequenceHash&)>> callbacks;
  {
    MutexLock lock(record_->callbacks_mutex);
    callbacks = record_->callbacks;
  }
  for (const auto& callback : callbacks) callback(record_->hash);
}

std::string AttachmentError::text() const {
  const bool unique = code == Code::TypeAlreadyRegisteredAsUnique;
  return "type " + type + (unique ? " is already registered as unique" : " is already registered as multiple");
}

}  // namespace kvbm
