#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "kvbm/device/stream_owner.hpp"
#include "kvbm/transfer/transfer_engine.hpp"
#include "tests/support/guarded_pages.hpp"

namespace kvbm::test {

/// A device that transfers are tested on. `open` returns null where there is none; the tests skip then.
struct TransferDevice {
  std::string name;
  std::function<std::shared_ptr<Device>()> open;

  friend void PrintTo(const TransferDevice& device, std::ostream* out) { *out << device.name; }
};

inline constexpr LayoutKind kEveryKind[]{LayoutKind::FullyContiguous, LayoutKind::LayerSeparateBlockFirst,
                                         LayoutKind::LayerSeparateOuterFirst};
inline constexpr MemoryKind kEveryMemory[]{MemoryKind::System, MemoryKind::Pinned, MemoryKind::Device};

[[nodiscard]] inline std::string text_of(const GuardedPages::Place& place) {
  static constexpr const char* kKinds[]{"FC", "LS block first", "LS outer first"};
  static constexpr const char* kMemory[]{"System", "Pinned", "Device"};
  return std::string(kMemory[static_cast<int>(place.memory)]) + " " + kKinds[static_cast<int>(place.kind)] + " +" +
         std::to_string(place.shift);
}

/// Small enough that requests are cut into pieces, slices and batches.
[[nodiscard]] inline TransferEngineOptions small_options() {
  return {.transfers_max = 8,
          .blocks_max = 8,
          .bytes_in_flight_max = 1024,
          .staging_bytes = 6 * 1024,
          .staging_slots = 3,
          .calibrate = false};
}
[[nodiscard]] constexpr LayoutConfig small_config() {
  return {.blocks = 12, .layers = 3, .outer = 2, .tokens = 4, .inner = 8, .heads = 2, .element_bytes = 2};
}

/// Engines and pages on one device.
class TransferWorld : public testing::TestWithParam<TransferDevice> {
 protected:
  using Place = GuardedPages::Place;

  void SetUp() override {
    device_ = GetParam().open();
    if (device_ == nullptr) GTEST_SKIP() << "no such device here";
  }

  /// Moves the blocks and compares every byte of both sides with the model's.
  void expect_copied(TransferEngine& engine, GuardedPages& source, GuardedPages& target,
                     const std::vector<BlockPair>& blocks, TransferRequest request = {}) {
    const auto from = source.fill(random_);
    const auto to = target.fill(random_);
    const LayerRange layers = request.layers.value_or(LayerRange{0, source.config().layers});
    request.source = source.layout();
    request.target = target.layout();
    request.blocks = blocks;
    auto completion = engine.submit(std::move(request));
    ASSERT_TRUE(completion) << completion.error().text;
    const TransferOutcome& outcome = completion->wait();
    ASSERT_FALSE(outcome.error) << outcome.error->text;
    EXPECT_EQ(outcome.bytes, blocks.size() * layers.size() * source.config().block_bytes() / source.config().layers);
    EXPECT_EQ(source.read(), from);
    EXPECT_EQ(target.read(), copied(source, from, target, to, blocks, layers));
  }

  std::shared_ptr<Device> device_;
  std::mt19937_64 random_{20240817};
};

}  // namespace kvbm::test
