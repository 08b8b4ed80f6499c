#pragma once

#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "kvbm/base/assert.hpp"
#include "kvbm/pools/eviction_backend.hpp"
#include "src/host/pools/slot_table.hpp"

namespace kvbm::test {

/// An eviction backend with the slots and the table it works on, but without a store: the table finds idle blocks, the
/// backend orders them. Registers, releases and evicts in the steps of BlockStore, with one holder for each block.
///
/// Errors  asserts that a hash is idle in one slot at most, as the store does.
class BackendBench {
 public:
  struct Entry {
    SequenceHash hash;
    BlockId id;

    friend bool operator==(const Entry&, const Entry&) = default;
  };

  BackendBench(std::uint32_t capacity, std::unique_ptr<EvictionBackend> backend)
      : table_(capacity), backend_(std::move(backend)) {
    backend_->reserve(SlotView(table_.slots(), table_.capacity(), table_));
  }
  BackendBench(const BackendBench&) = delete;
  BackendBench& operator=(const BackendBench&) = delete;

  // What an index of idle blocks can do.

  /// Slot `id` becomes idle with this hash. A slot that is in use with it is released; any other use of the slot or the
  /// hash is reset first.
  void insert(const SequenceHash& hash, BlockId id) {
    BlockSlot& slot = table_[id];
    const bool registered = slot.state == SlotState::Primary || slot.state == SlotState::Inactive;
    if (!registered || slot.hash != hash) hold(hash, id);
    release({&id, 1});
  }
  void insert(std::span<const SequenceHash> hashes, BlockId first) {
    for (const SequenceHash& hash : hashes) insert(hash, first++);
  }
  /// The longest prefix that is idle; it is in use afterwards.
  [[nodiscard]] std::vector<Entry> find(std::span<const SequenceHash> hashes) {
    std::vector<Entry> found;
    for (const SequenceHash& hash : hashes) {
      const std::optional<Entry> entry = find(hash);
      if (!entry) break;
      found.push_back(*entry);
    }
    return found;
  }
  [[nodiscard]] std::optional<Entry> find(const SequenceHash& hash) {
    if (!has(hash)) return std::nullopt;
    const BlockId id = table_.find(hash);
    use({&id, 1});
    return Entry{hash, id};
  }
  /// All of these that are idle; they are in use afterwards.
  [[nodiscard]] std::vector<Entry> scan(std::span<const SequenceHash> hashes) {
    std::vector<Entry> found;
    for (const SequenceHash& hash : hashes) {
      if (const std::optional<Entry> entry = find(hash)) found.push_back(*entry);
    }
    return found;
  }
  [[nodiscard]] bool has(const SequenceHash& hash) const {
    const BlockId id = table_.find(hash);
    return id != kNoBlock && table_[id].state == SlotState::Inactive;
  }
  /// Puts the block in use if it is idle with just this hash and id.
  [[nodiscard]] bool take(const SequenceHash& hash, BlockId id) {
    if (!has(hash) || table_.find(hash) != id) return false;
    use({&id, 1});
    return true;
  }
  [[nodiscard]] std::vector<BlockId> evict(std::size_t count) {
    std::vector<BlockId> victims(count);
    victims.resize(backend_->evict(victims));
    for (const BlockId id : victims) depart(id);
    return victims;
  }
  [[nodiscard]] std::vector<BlockId> evict_all() { return evict(size()); }
  [[nodiscard]] std::size_t size() const { return backend_->size(); }

  // The steps themselves.

  /// Slot `id` is registered and in use. Precondition: neither it nor the hash is idle.
  void hold(const SequenceHash& hash, BlockId id) {
    if (const BlockId other = table_.find(hash); other != kNoBlock) reset(other);
    BlockSlot& slot = table_[id];
    if (slot.state != SlotState::Unregistered) reset(id);
    slot.hash = hash;
    slot.state = SlotState::Primary;
    bool collides = false;
    KVBM_ASSERT(table_.find_or_insert(id, collides) == kNoBlock, "a hash has two slots");
  }
  /// Blocks in use become idle, together.
  void release(std::span<const BlockId> ids) {
    for (const BlockId id : ids) table_[id].state = SlotState::Inactive;
    backend_->insert(ids);
  }
  /// Idle blocks are in use again, together.
  void use(std::span<const BlockId> ids) {
    for (const BlockId id : ids) table_[id].state = SlotState::Primary;
    backend_->erase(ids);
  }
  /// A block in use leaves without having been idle.
  void reset(BlockId id) {
    BlockSlot& slot = table_[id];
    KVBM_ASSERT(slot.state == SlotState::Primary, "only a block in use is reset");
    if (slot.links.children != 0 || slot.links.linked) backend_->forget(id);
    depart(id);
  }

  // What can be seen of the order without disturbing it.

  /// Idle blocks that no idle block counts as its parent.
  [[nodiscard]] std::size_t leaves() const {
    return count([](const OrderLinks& links) { return links.held && links.children == 0; });
  }
  /// Blocks in use that other blocks count as their parent.
  [[nodiscard]] std::size_t stand_ins() const {
    return count([](const OrderLinks& links) { return !links.held && links.children != 0; });
  }
  /// Whether any slot is still part of the order or of the tree.
  [[nodiscard]] bool untouched() const {
    return count([](const OrderLinks& links) { return links.held || links.linked || links.children != 0; }) == 0;
  }

  [[nodiscard]] SlotTable& table() { return table_; }
  [[nodiscard]] EvictionBackend& backend() { return *backend_; }

 private:
  void depart(BlockId id) {
    BlockSlot& slot = table_[id];
    table_.erase(id);
    slot.state = SlotState::Unregistered;
    slot.links = OrderLinks{};
    slot.word += BlockSlot::kPinMask + 1;  // the next generation
  }
  template <class Counts>
  [[nodiscard]] std::size_t count(Counts&& counts) const {
    std::size_t found = 0;
    for (BlockId id = 0; id < table_.capacity(); ++id) found += counts(table_[id].links) ? 1 : 0;
    return found;
  }

  SlotTable table_;
  std::unique_ptr<EvictionBackend> backend_;
};

}  // namespace kvbm::test
