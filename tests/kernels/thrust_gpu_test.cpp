// The functors under Thrust on the CPU, compiled by the host compiler: needs CCCL, but no GPU.
#define THRUST_DEVICE_SYSTEM THRUST_DEVICE_SYSTEM_CPP

#include <gtest/gtest.h>
#include <thrust/for_each.h>
#include <thrust/iterator/counting_iterator.h>
#include <thrust/system/cpp/execution_policy.h>

#include <cstdint>

#include "kernels/copy_cells.cuh"
#include "kernels/page_fill.cuh"
#include "kernels/permute_cells.cuh"
#include "tests/kernels/checksum_checks.hpp"
#include "tests/kernels/copy_checks.hpp"
#include "tests/kernels/permute_checks.hpp"

namespace kvbm::kernels {
namespace {

template <class Function>
void for_each_number(std::uint64_t count, const Function& function) {
  thrust::for_each_n(thrust::cpp::par, thrust::counting_iterator<std::uint64_t>(0), count, function);
}

KernelCall thrust_copy_cells(const CopyCells& copy) noexcept {
  const auto run = [](const CopyCells& cells) {
    const CopyPieces pieces(cells, kWarpPieceBytes);
    for_each_number(pieces.count(), [&](std::uint64_t i) { MovePiece{}(pieces.piece(i), 0, 1); });
  };
  return {"thrust_copy_cells", copy, +run, nullptr};
}

KernelCall thrust_permute_cells(const PermuteCells& permute) noexcept {
  const auto run = [](const PermuteCells& cells) {
    const PermutePieces pieces(cells);
    for_each_number(pieces.count(), [&](std::uint64_t i) { pieces(i, 0, 1); });
  };
  return {"thrust_permute_cells", permute, +run, nullptr};
}

KernelCall thrust_fill_pages(const FillPages& fill) noexcept {
  const auto run = [](const FillPages& pages) {
    const PageParts parts(pages.pages, pages.blocks, pages.count, pages.layers);
    const FillPart fill_part{pages.pattern, pages.value, pages.pages.cell_bytes};
    for_each_number(parts.count(), [&](std::uint64_t i) { fill_part(parts.part(i), 0, 1); });
  };
  return {"thrust_fill_pages", fill, +run, nullptr};
}

TEST(KernelsUnderThrust, MoveCells) {
  test::HostWorld world;
  test::check_copy_between_all_kinds(world, thrust_copy_cells, {1, 17, 999, 8192 + 17});
}

TEST(KernelsUnderThrust, PermuteRows) {
  test::HostWorld world;
  test::for_each_order_pair({.make = &thrust_permute_cells, .row_bytes = 48},
                            [&](const test::PermuteCase& c) { test::expect_permuted(world, c); });
}

TEST(KernelsUnderThrust, FillPages) {
  test::HostWorld world;
  test::check_fills_of_known_bytes(world, thrust_fill_pages);
  test::check_random_fill_is_the_hosts(world, thrust_fill_pages);
}

}  // namespace
}  // namespace kvbm::kernels
