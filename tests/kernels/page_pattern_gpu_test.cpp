#include <cuda_runtime.h>
#include <gtest/gtest.h>

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "kernels/page_pattern.cuh"
#include "kvbm/cuda/device_probe.hpp"
#include "kvbm/cuda/error.hpp"

namespace kvbm::kernels {
namespace {

constexpr std::size_t kPageBytes = 24 * 1024 + 16;  // no multiple of what one thread block writes in a round
constexpr std::uint32_t kPageWords = kPageBytes / sizeof(PatternWord);
constexpr std::uint32_t kPages = 5000;  // more than one round of the grid

#define ASSERT_CUDA(call) ASSERT_EQ(call, cudaSuccess)

// Pages, seeds and answers in device memory, and a stream to work on. Page i carries the seed seed_of(i).
class PagePatternOnDevice : public testing::Test {
 protected:
  static std::uint64_t seed_of(std::uint32_t page) { return 0x9E37'79B9'7F4A'7C15u * (page + 1); }

  void SetUp() override {
    const DeviceProbe probe = probe_devices();
    if (probe.devices.empty()) GTEST_SKIP() << probe.problem;
    std::vector<PageSeed> seeds;
    for (std::uint32_t page = 0; page < kPages; ++page) seeds.push_back({seed_of(page), kPages - 1 - page});
    ASSERT_CUDA(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    ASSERT_CUDA(cudaMalloc(&pages_, kPages * kPageBytes));
    ASSERT_CUDA(cudaMalloc(&seeds_, kPages * sizeof(PageSeed)));
    ASSERT_CUDA(cudaMalloc(&wrong_, kPages * sizeof(std::uint32_t)));
    ASSERT_CUDA(cudaMemset(pages_, 0xEE, kPages * kPageBytes));
    ASSERT_CUDA(cudaMemset(wrong_, 0xEE, kPages * sizeof(std::uint32_t)));
    ASSERT_CUDA(cudaMemcpy(seeds_, seeds.data(), kPages * sizeof(PageSeed), cudaMemcpyHostToDevice));
    ASSERT_CUDA(cudaDeviceSynchronize());
  }

  void TearDown() override {
    if (stream_ == nullptr) return;  // skipped
    EXPECT_EQ(cudaFree(wrong_), cudaSuccess);
    EXPECT_EQ(cudaFree(seeds_), cudaSuccess);
    EXPECT_EQ(cudaFree(pages_), cudaSuccess);
    EXPECT_EQ(cudaStreamDestroy(stream_), cudaSuccess);
  }

  PageArray array() const { return {pages_, kPageBytes}; }

  std::vector<std::uint32_t> wrong_words_found() {
    std::vector<std::uint32_t> wrong(kPages);
    launch_verify_pages(array(), seeds_, kPages, kPageBytes, wrong_, StreamView(stream_));
    EXPECT_EQ(cudaStreamSynchronize(stream_), cudaSuccess);
    EXPECT_EQ(cudaMemcpy(wrong.data(), wrong_, kPages * sizeof(std::uint32_t), cudaMemcpyDeviceToHost), cudaSuccess);
    return wrong;
  }

  cudaStream_t stream_ = nullptr;
  std::byte* pages_ = nullptr;
  PageSeed* seeds_ = nullptr;
  std::uint32_t* wrong_ = nullptr;
};

TEST_F(PagePatternOnDevice, IsTheHostsPattern) {
  launch_fill_pages(array(), seeds_, kPages, kPageBytes, StreamView(stream_));
  ASSERT_CUDA(cudaStreamSynchronize(stream_));

  std::vector<PatternWord> page(kPageWords);
  for (std::uint32_t i : {0u, 1u, 2047u, 2048u, kPages - 1}) {
    ASSERT_CUDA(cudaMemcpy(page.data(), array().page(kPages - 1 - i), kPageBytes, cudaMemcpyDeviceToHost));
    EXPECT_EQ(count_wrong_words(std::as_bytes(std::span(page)), seed_of(i)), 0u) << "page " << i;
  }
}

TEST_F(PagePatternOnDevice, FilledPagesAreRightAndUnfilledOnesAreWrong) {
  const std::vector<std::uint32_t> before = wrong_words_found();
  launch_fill_pages(array(), seeds_, kPages, kPageBytes, StreamView(stream_));
  const std::vector<std::uint32_t> after = wrong_words_found();

  EXPECT_EQ(before, std::vector<std::uint32_t>(kPages, kPageWords));
  EXPECT_EQ(after, std::vector<std::uint32_t>(kPages, 0));
}

TEST_F(PagePatternOnDevice, WrongBytesAreCountedWhereTheyAre) {
  launch_fill_pages(array(), seeds_, kPages, kPageBytes, StreamView(stream_));
  ASSERT_CUDA(cudaStreamSynchronize(stream_));
  ASSERT_CUDA(cudaMemset(array().page(kPages - 1 - 17) + 40, 0, 24));  // the half of one word and all of the next
  ASSERT_CUDA(cudaMemset(array().page(0) + kPageBytes - 1, 0x5A, 1));
  ASSERT_CUDA(cudaDeviceSynchronize());

  std::vector<std::uint32_t> expected(kPages, 0);
  expected[17] = 2;
  expected[kPages - 1] = 1;
  EXPECT_EQ(wrong_words_found(), expected);
}

TEST(PagePatternLaunch, NoPagesLaunchNothing) {
  const PageArray none{nullptr, kPageBytes};

  EXPECT_NO_THROW(launch_fill_pages(none, nullptr, 0, kPageBytes, StreamView(nullptr)));
  EXPECT_NO_THROW(launch_verify_pages(none, nullptr, 0, kPageBytes, nullptr, StreamView(nullptr)));
}

TEST(PagePatternLaunch, ThrowsWithoutADevice) {
  if (!probe_devices().devices.empty()) GTEST_SKIP() << "there is a device";
  const PageArray none{nullptr, kPageBytes};

  EXPECT_THROW(launch_fill_pages(none, nullptr, 1, kPageBytes, StreamView(nullptr)), CudaError);
}

}  // namespace
}  // namespace kvbm::kernels
