#include <gtest/gtest.h>

#include "tests/support/forwarding_device.hpp"
#include "tests/transfer/engine_world.hpp"

// 6.7: which way a batched copy went

namespace kvbm {
namespace {

using test::EngineWorld;

/// A driver that knows batches, and refuses some of them, as drivers do: those from `first` on, before `last`.
class RefusingDriver final : public test::ForwardingDevice {
 public:
  RefusingDriver(int first, int last) : first_(first), last_(last) {}

  bool copy_batch(const CopyBatch& batch, StreamView stream) override {
    const int number = batches_++;
    if (number < first_ || number >= last_) return ForwardingDevice::copy_batch(batch, stream);
    for (std::size_t i = 0; i < batch.bytes.size(); ++i) {
      copy(batch.targets[i], batch.sources[i], batch.bytes[i], stream);
    }
    return false;
  }

 private:
  const int first_, last_;
  int batches_ = 0;  // an engine enqueues for one direction from one thread at a time
};

const std::vector<BlockPair> kBatch{{3, 1}, {7, 4}, {0, 11}, {9, 6}};

/// Saves of a batch, in slices of a block each if the budget is small.
class BatchedSaves {
 public:
  explicit BatchedSaves(const std::shared_ptr<Device>& device, bool small_budget = false)
      : cache_(device, EngineWorld::kConfig, {.kind = LayoutKind::LayerSeparateBlockFirst}),
        store_(device, EngineWorld::kConfig, {.memory = MemoryKind::Pinned}),
        engine_(device, options(small_budget)) {}

  /// Which way the next one went, as its outcome says.
  [[nodiscard]] Mechanism next(bool layer_events = false) {
    const auto in_cache = cache_.fill(random_);
    const auto in_store = store_.fill(random_);
    const auto outcome = engine_
                             .submit({.source = cache_.layout(),
                                      .target = store_.layout(),
                                      .blocks = kBatch,
                                      .layer_events = layer_events,
                                      .mechanism = Mechanism::BatchedCopy})
                             .value()
                             .wait();
    EXPECT_FALSE(outcome.error);
    EXPECT_EQ(store_.read(), copied(cache_, in_cache, store_, in_store, kBatch, {0, 3}));
    return outcome.mechanism;
  }

 private:
  static TransferEngineOptions options(bool small_budget) {
    TransferEngineOptions options = EngineWorld::options();
    options.bytes_in_flight_max = small_budget ? EngineWorld::kConfig.block_bytes() : 1u << 20;
    return options;
  }

  std::mt19937_64 random_{5};
  test::GuardedPages cache_, store_;
  TransferEngine engine_;
};

TEST(BatchedCopy, IsReportedIfTheDriverTakesBatches) {
  BatchedSaves saves(EmulatedDevice::create());

  EXPECT_EQ(saves.next(), Mechanism::BatchedCopy);
}

TEST(BatchedCopy, IsReportedAsCopiesIfTheDriverTakesNoneOrSome) {
  BatchedSaves none(std::make_shared<RefusingDriver>(0, 100), true);
  BatchedSaves the_first(std::make_shared<RefusingDriver>(1, 100), true);
  BatchedSaves all_but_the_first(std::make_shared<RefusingDriver>(0, 1), true);

  EXPECT_EQ(none.next(), Mechanism::Copies);
  EXPECT_EQ(the_first.next(), Mechanism::Copies);
  EXPECT_EQ(all_but_the_first.next(), Mechanism::Copies);
}

TEST(BatchedCopy, IsReportedAsCopiesIfTheDriverRefusesOneBatchOfASlice) {
  BatchedSaves saves(std::make_shared<RefusingDriver>(0, 1));

  EXPECT_EQ(saves.next(/*layer_events=*/true), Mechanism::Copies);  // a batch for each layer
}

TEST(BatchedCopy, IsReportedAgainOnceTheDriverTakesBatches) {
  BatchedSaves saves(std::make_shared<RefusingDriver>(0, 1));

  EXPECT_EQ(saves.next(), Mechanism::Copies);
  EXPECT_EQ(saves.next(), Mechanism::BatchedCopy);
}

}  // namespace
}  // namespace kvbm
