#include "bench/support/batched_lookup.hpp"

#include <chrono>
#include <utility>

#include "kvbm/lookup/device_prefix_index.hpp"

namespace kvbm::bench {

class BatchedLookup::Index {
 public:
  virtual ~Index() = default;
  virtual void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
                       PrefixAnswers& answers) = 0;
};

template <class IndexType>
class BatchedLookup::IndexOf final : public Index {
 public:
  template <class... Arguments>
  explicit IndexOf(const BlockManager<G1>& manager, Arguments&&... arguments)
      : index_(std::forward<Arguments>(arguments)...) {
    index_.add_tier(manager);
  }

  void look_up(std::span<const std::uint32_t> offsets, std::span<const SequenceHash> hashes,
               PrefixAnswers& answers) override {
    index_.update();
    index_.look_up(offsets, hashes, answers);
  }

 private:
  IndexType index_;
};

BatchedLookup::BatchedLookup(LookupKind kind, const BlockManager<G1>& manager, const DeviceOptions& device) {
  if (kind == LookupKind::Host) index_ = std::make_unique<IndexOf<PrefixIndex>>(manager);
  if (kind == LookupKind::Device) {
    std::shared_ptr<Device> opened = open_device(device);
    device_name_ = opened->capabilities().name;
    index_ = std::make_unique<IndexOf<DevicePrefixIndex>>(manager, std::move(opened));
  }
}

BatchedLookup::~BatchedLookup() = default;

void BatchedLookup::look_up(std::span<const std::vector<SequenceHash>> requests) {
  if (index_ == nullptr) return;
  offsets_.assign(1, 0);
  hashes_.clear();
  for (const std::vector<SequenceHash>& request : requests) {
    hashes_.insert(hashes_.end(), request.begin(), request.end());
    offsets_.push_back(static_cast<std::uint32_t>(hashes_.size()));
  }
  const auto begin = std::chrono::steady_clock::now();
  index_->look_up(offsets_, hashes_, answers_);
  costs_.seconds += std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  costs_.lookups += requests.size();
  for (const std::uint32_t prefix : answers_.prefixes) costs_.hinted_blocks += prefix;
}

std::span<const BlockHint> BatchedLookup::hints(std::size_t i) const noexcept {
  if (index_ == nullptr) return {};
  return std::span(answers_.hints).subspan(offsets_[i], answers_.prefixes[i]);
}

}  // namespace kvbm::bench
