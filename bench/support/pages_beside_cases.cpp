#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <stdexcept>

#include "bench/support/fragmented_pages.hpp"
#include "bench/support/matrix_product.hpp"
#include "bench/support/pages_cases.hpp"
#include "kernels/copy_cells.hpp"

// C8: what kernels of others lose beside transfers.

namespace kvbm::bench {
namespace {

/// A kernel of somebody else's: run again and again, `repeats` to a sample.
struct OtherKernel {
  const char* name;
  PagesGoal goal;
  KernelCall call;
  std::function<std::uint64_t()> wrong;  ///< pages or rows of its own that are not as they should be
};

/// Copies within device memory: bound by memory.
class CopyOnDevice {
 public:
  explicit CopyOnDevice(PagesWorld& world)
      : world_(world),
        source_(pages()),
        target_(pages()),
        pairs_(in_place(source_->config().blocks)),
        device_pairs_(world.on_device(std::span<const BlockPair>(pairs_))) {
    world.fill_random(source_, 8);
    world.poison(target_);
  }
  [[nodiscard]] OtherKernel kernel() const {
    const auto count = static_cast<std::uint32_t>(pairs_.size());
    return {"copy on the device", PagesGoal::at_most(1.05),
            kernels::copy_cells({source_->device_view(), target_->device_view(),
                                 reinterpret_cast<const BlockPair*>(device_pairs_.address()), count,
                                 LayerRange{0, FragmentedPages::kLayers}, FragmentedPages::kOuter,
                                 FragmentedPages::kFragmentBytes, 0}),
            [this] {
              return world_.wrong_pages({source_, target_, pairs_});
            }};
  }

 private:
  [[nodiscard]] Pages pages() const {
    return world_.pages(FragmentedPages::config_of(world_.options().bytes), LayoutKind::FullyContiguous,
                        MemoryKind::Device);
  }
  static std::vector<BlockPair> in_place(std::uint32_t blocks) {
    std::vector<BlockPair> pairs;
    for (BlockId block = 0; block < blocks; ++block) pairs.push_back({block, block});
    return pairs;
  }

  PagesWorld& world_;
  const Pages source_, target_;
  const std::vector<BlockPair> pairs_;
  const Memory device_pairs_;
};

/// A product of two matrices in bfloat16: bound by arithmetic.
class Product {
 public:
  explicit Product(PagesWorld& world)
      : world_(world),
        size_(world.device()->capabilities().emulated ? MatrixProduct::kTile : 4096),
        left_(small_integers(size_, 1)),
        right_(small_integers(size_, 2)),
        device_left_(world.on_device(std::span<const Bfloat16>(left_))),
        device_right_(world.on_device(std::span<const Bfloat16>(right_))),
        device_out_(allocate_device(world.device(), std::size_t{size_} * size_ * sizeof(float))) {}

  [[nodiscard]] OtherKernel kernel() const {
    return {"GEMM", PagesGoal::at_most(1.03),
            matrix_product({reinterpret_cast<const Bfloat16*>(device_left_.address()),
                            reinterpret_cast<const Bfloat16*>(device_right_.address()),
                            reinterpret_cast<float*>(device_out_.address()), size_}),
            [this] { return wrong(); }};
  }

 private:
  [[nodiscard]] std::uint64_t wrong() const {
    const std::vector<float> out = world_.to_host<float>(device_out_);
    return wrong_rows(left_, right_, out, size_);
  }

  PagesWorld& world_;
  const std::uint32_t size_;
  const std::vector<Bfloat16> left_, right_;
  const Memory device_left_, device_right_, device_out_;
};

/// Time of the other kernel alone and beside transfers that are under way throughout.
void measure(PagesWorld& world, const PagesMove& move, const OtherKernel& other) {
  const auto launch = [&] { world.device()->launch(other.call, world.stream()); };
  const double once = world.alternate({launch}).front().seconds;
  const double transfer = world.alternate({[&] { world.enqueue(move); }}).front().seconds;
  const auto repeats = static_cast<int>(std::clamp(std::floor(0.5 * transfer / once), 1.0, 256.0));
  unsigned overlapped = 0;
  unsigned samples = 0;
  const auto run = [&] {
    return world.seconds([&] {
      for (int i = 0; i < repeats; ++i) launch();
    });
  };
  const auto run_beside = [&] {
    auto submitted = world.engine().submit({.source = move.source, .target = move.target, .blocks = move.pairs});
    if (!submitted) throw std::runtime_error(submitted.error().text);
    const double seconds = run();
    ++samples;
    overlapped += submitted->done() ? 0 : 1;
    if (const auto& error = submitted->wait().error) throw std::runtime_error(error->text);
    return seconds;
  };
  const auto times = world.alternate_measured({run, run_beside});
  const bool onboard = move.target->memory_kind() == MemoryKind::Device;
  const std::uint64_t wrong = other.wrong() + world.wrong_pages_anew(move);
  world.add({.name = fmt::format("{} beside an {}, {}", other.name, onboard ? "onboard" : "offload",
                                 to_text(world.mechanism())),
             .value = times[1].seconds * 1e6,
             .unit = "us",
             .reference = fmt::format("alone, {:.1f} us; beside throughout: {} of {}", times[0].seconds * 1e6,
                                      overlapped, samples),
             .ratio = times[1].seconds / times[0].seconds,
             .spread = times[1].spread,
             .wrong_pages = wrong},
            other.goal);
}

}  // namespace

void measure_beside(PagesWorld& world) {
  const CopyOnDevice copy(world);
  const Product product(world);
  for (const bool to_device : {false, true}) {
    const FragmentedPages pages(world, 2 * world.options().bytes, to_device);
    world.poison(pages.move.target);
    measure(world, pages.move, copy.kernel());
    measure(world, pages.move, product.kernel());
  }
}

}  // namespace kvbm::bench
