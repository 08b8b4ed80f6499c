#include "src/host/pools/make_backend.hpp"

#include "src/host/pools/backends/lineage_backend.hpp"
#include "src/host/pools/backends/list_backend.hpp"
#include "src/host/pools/backends/multi_lru_backend.hpp"

namespace kvbm {
namespace {

struct Maker {
  std::shared_ptr<const FrequencyTracker> tracker;

  std::unique_ptr<EvictionBackend> operator()(const FifoEviction&) { return std::make_unique<ListBackend>(); }
  std::unique_ptr<EvictionBackend> operator()(const LruEviction&) { return std::make_unique<ListBackend>(); }
  std::unique_ptr<EvictionBackend> operator()(const MultiLruEviction& options) {
    return std::make_unique<MultiLruBackend>(options.thresholds, std::move(tracker));
  }
  std::unique_ptr<EvictionBackend> operator()(const LineageEviction& options) {
    if (options.order == LineageEviction::Order::Fifo) return std::make_unique<LineageBackend<FifoOrder>>();
    return std::make_unique<LineageBackend<TickOrder>>();
  }
  std::unique_ptr<EvictionBackend> operator()(const CustomEviction& options) { return options.make(); }
};

}  // namespace

std::unique_ptr<EvictionBackend> make_backend(const EvictionOptions& options,
                                              std::shared_ptr<const FrequencyTracker> tracker) {
  return std::visit(Maker{std::move(tracker)}, options);
}

}  // namespace kvbm
