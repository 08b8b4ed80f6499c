#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>

#include "kvbm/registry/frequency_tracker.hpp"

namespace kvbm::test {

/// Counts every use, for ever, and can be told a count.
///
/// Threads  one at a time.
class ExactTracker final : public FrequencyTracker {
 public:
  using FrequencyTracker::touch;
  void touch(std::span<const SequenceHash> hashes) noexcept override {
    for (const SequenceHash& hash : hashes) ++counts_[hash];
  }
  [[nodiscard]] std::uint32_t count(SequenceHash hash) const noexcept override {
    const auto found = counts_.find(hash);
    return found == counts_.end() ? 0 : found->second;
  }
  void set(const SequenceHash& hash, std::uint32_t count) { counts_[hash] = count; }

 private:
  std::unordered_map<SequenceHash, std::uint32_t> counts_;
};

}  // namespace kvbm::test
