#include "bench/support/pages_world.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstring>
#include <numeric>
#include <random>
#include <stdexcept>
#include <thread>

#include "kernels/page_checksum.hpp"
#include "kernels/page_fill.hpp"
#include "kvbm/memory/pinned_memory.hpp"

namespace kvbm::bench {
namespace {

constexpr std::uint64_t kPoison = 0xA5;
constexpr std::uint32_t kTokens = 16;
constexpr std::uint32_t kElementBytes = 2;

PagesTime time_of(std::vector<double> seconds) {
  std::sort(seconds.begin(), seconds.end());
  const double median = seconds[seconds.size() / 2];
  return {median, (seconds[seconds.size() * 9 / 10] - seconds[seconds.size() / 10]) / median};
}

LayerRange all_layers(const Pages& pages) { return {0, pages->config().layers}; }

}  // namespace

PagesWorld::PagesWorld(std::shared_ptr<Device> device, const PagesOptions& options, std::string id)
    : options_(options),
      id_(std::move(id)),
      device_(std::move(device)),
      engine_(device_),
      stream_(device_, StreamPriority::Normal, "kvbm.pages"),
      passed_(device_) {
  report_.device = device_->capabilities().name;
  report_.emulated = device_->capabilities().emulated;
}

Pages PagesWorld::pages(const LayoutConfig& config, LayoutKind kind, MemoryKind memory) {
  auto made = allocate_layout(config, kind, memory, device_);
  if (!made) throw std::runtime_error(made.error().text);
  return *made;
}

Memory PagesWorld::copied_to_device(const void* data, std::size_t bytes) {
  const Memory pinned = allocate_pinned(device_, bytes);
  Memory memory = allocate_device(device_, bytes);
  std::memcpy(pinned.address(), data, bytes);
  device_->copy(memory.address(), pinned.address(), bytes, stream());
  device_->synchronize(stream());
  return memory;
}

void PagesWorld::copy_to_host(const Memory& memory, void* data) {
  const Memory pinned = allocate_pinned(device_, memory.bytes());
  device_->copy(pinned.address(), memory.address(), memory.bytes(), stream());
  device_->synchronize(stream());
  std::memcpy(data, pinned.address(), memory.bytes());
}

const BlockId* PagesWorld::ids(std::uint32_t count) {
  if (!ids_ || ids_->bytes() < count * sizeof(BlockId)) {
    std::vector<BlockId> numbers(count);
    std::iota(numbers.begin(), numbers.end(), BlockId{0});
    ids_ = on_device(std::span<const BlockId>(numbers));
  }
  return reinterpret_cast<const BlockId*>(ids_->address());
}

// ---- contents ----

void PagesWorld::fill_random(const Pages& pages, std::uint64_t key) {
  const std::uint32_t blocks = pages->config().blocks;
  device_->launch(kernels::fill_pages({pages->device_view(), ids(blocks), blocks, all_layers(pages),
                                       kernels::FillPattern::Random, key}),
                  stream());
  device_->synchronize(stream());
}

void PagesWorld::poison(const Pages& pages) {
  const std::uint32_t blocks = pages->config().blocks;
  device_->launch(kernels::fill_pages({pages->device_view(), ids(blocks), blocks, all_layers(pages),
                                       kernels::FillPattern::Constant, kPoison}),
                  stream());
  device_->synchronize(stream());
}

std::vector<std::uint64_t> PagesWorld::sums(const Pages& pages, std::optional<LayerRange> layers) {
  const std::uint32_t blocks = pages->config().blocks;
  const std::size_t bytes = blocks * sizeof(std::uint64_t);
  if (!sums_ || sums_->device.bytes() < bytes) {
    sums_ = {allocate_device(device_, bytes), allocate_pinned(device_, bytes)};
  }
  device_->fill(sums_->device.address(), ++unlike_, bytes, stream());
  device_->launch(
      kernels::checksum_pages({pages->device_view(), ids(blocks), blocks, layers.value_or(all_layers(pages)),
                               reinterpret_cast<std::uint64_t*>(sums_->device.address())}),
      stream());
  device_->copy(sums_->pinned.address(), sums_->device.address(), bytes, stream());
  device_->synchronize(stream());
  std::vector<std::uint64_t> numbers(blocks);
  std::memcpy(numbers.data(), sums_->pinned.address(), bytes);
  return numbers;
}

std::uint64_t PagesWorld::wrong_pages(const PagesMove& move) {
  const std::vector<std::uint64_t> wanted = sums(move.source, move.layers);
  const std::vector<std::uint64_t> got = sums(move.target, move.layers);
  return static_cast<std::uint64_t>(std::count_if(
      move.pairs.begin(), move.pairs.end(), [&](BlockPair pair) { return wanted[pair.source] != got[pair.target]; }));
}

std::uint64_t PagesWorld::wrong_pages_anew(const PagesMove& move) {
  const std::uint64_t after_timing = wrong_pages(move);
  poison(move.target);
  enqueue(move);
  finish();
  return std::max(after_timing, wrong_pages(move));
}

// ---- time ----

Completion PagesWorld::submitted(const PagesMove& move) {
  const bool onboard = move.target->memory_kind() == MemoryKind::Device;
  auto completion = engine_.submit({.source = move.source,
                                    .target = move.target,
                                    .blocks = move.pairs,
                                    .layers = move.layers,
                                    .priority = onboard ? TransferPriority::OnDemand : TransferPriority::WriteBehind,
                                    .mechanism = move.mechanism});
  if (!completion) throw std::runtime_error(completion.error().text);
  return *completion;
}

void PagesWorld::enqueue(const PagesMove& move) {
  under_way_.push_back(submitted(move));
  under_way_.back().wait_on(stream());
}

void PagesWorld::finish() {
  const std::vector<Completion> ended = std::exchange(under_way_, {});
  device_->synchronize(stream());
  for (const Completion& completion : ended) {
    if (const auto& error = completion.wait().error) throw std::runtime_error(error->text);
    mechanism_ = completion.outcome().mechanism;
  }
}

double PagesWorld::seconds(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  device_->record(passed_.view(), stream());
  if (report_.emulated) {
    device_->synchronize(passed_.view());  // its threads need the processor that asking would take
  } else {
    while (!device_->done(passed_.view())) std::this_thread::yield();  // waking up would count too
  }
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  finish();
  return taken.count();
}

double PagesWorld::seconds_waiting(const PagesMove& move) {
  const auto begin = std::chrono::steady_clock::now();
  under_way_.push_back(submitted(move));
  static_cast<void>(under_way_.back().wait());
  const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
  finish();
  return taken.count();
}

std::vector<PagesTime> PagesWorld::alternate(const std::vector<std::function<void()>>& works) {
  std::vector<std::function<double()>> measured;
  for (const auto& work : works) measured.emplace_back([this, &work] { return seconds(work); });
  return alternate_measured(measured);
}

std::vector<PagesTime> PagesWorld::alternate_measured(const std::vector<std::function<double()>>& works,
                                                      PagesRounds rounds) {
  std::vector<std::vector<double>> taken(works.size());
  for (unsigned round = 0; round < std::min(options_.warm_ups, rounds.warm_ups_max); ++round) {
    for (const auto& work : works) static_cast<void>(work());
  }
  for (unsigned round = 0; round < std::min(options_.samples, rounds.samples_max); ++round) {
    for (std::size_t i = 0; i < works.size(); ++i) taken[i].push_back(works[i]());
  }
  std::vector<PagesTime> times;
  for (std::vector<double>& seconds : taken) times.push_back(time_of(std::move(seconds)));
  return times;
}

void PagesWorld::add(PagesRow row, PagesGoal goal) {
  row.id = id_;
  row.goal = goal.text();
  row.met = goal.met_by(row.ratio);
  report_.rows.push_back(std::move(row));
  if (options_.row_added) options_.row_added(report_, report_.rows.back());
}

// ---- shapes ----

LayoutConfig fragments_of(std::size_t fragment_bytes, std::uint32_t layers, std::uint32_t outer, std::size_t bytes) {
  LayoutConfig config{.blocks = 1,
                      .layers = layers,
                      .outer = outer,
                      .tokens = kTokens,
                      .inner = static_cast<std::uint32_t>(fragment_bytes / (kTokens * kElementBytes)),
                      .element_bytes = kElementBytes,
                      .alignment = 16};
  config.blocks = static_cast<std::uint32_t>(std::max<std::size_t>(1, bytes / config.block_bytes()));
  return config;
}

std::size_t total_bytes(const LayoutConfig& config) noexcept { return config.blocks * config.block_bytes(); }

std::vector<BlockPair> scattered_pairs(std::uint32_t blocks) {
  std::vector<BlockPair> pairs;
  for (BlockId block = 0; block < blocks; ++block) pairs.push_back({block, blocks - 1 - block});
  std::shuffle(pairs.begin(), pairs.end(), std::mt19937_64(7));
  return pairs;
}

std::string size_text(std::size_t bytes) {
  return bytes % kMiB == 0 ? fmt::format("{} MiB", bytes / kMiB) : fmt::format("{} KiB", bytes / kKiB);
}

PlainCopy::PlainCopy(PagesWorld& world, std::size_t bytes) : world_(world) {
  constexpr std::size_t kPageBytes = 1 * kMiB;
  const LayoutConfig config = fragments_of(kPageBytes, 1, 1, bytes);
  device_ = world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Device);
  pinned_ = world.pages(config, LayoutKind::FullyContiguous, MemoryKind::Pinned);
  world.fill_random(device_, 1);
  world.fill_random(pinned_, 2);
}

void PlainCopy::run(bool to_device, StreamView stream) const {
  std::byte* const device = device_->host_view().base;
  std::byte* const pinned = pinned_->host_view().base;
  world_.device()->copy(to_device ? device : pinned, to_device ? pinned : device, bytes(), stream);
}

std::uint64_t PlainCopy::wrong_pages() {
  const std::vector<std::uint64_t> device = world_.sums(device_);
  const std::vector<std::uint64_t> pinned = world_.sums(pinned_);
  std::uint64_t wrong = 0;
  for (std::size_t page = 0; page < device.size(); ++page) wrong += device[page] != pinned[page] ? 1 : 0;
  return wrong;
}

}  // namespace kvbm::bench
