#pragma once

#include <cstddef>
#include <cstdint>

#include "kernels/page_array.hpp"
#include "kvbm/base/types.hpp"
#include "kvbm/device/stream.hpp"

namespace kvbm::kernels {

/// A page and the seed its pattern is grown from: the hash of the block whose bytes it stands for.
struct PageSeed {
  std::uint64_t seed;
  BlockId page;
};

/// Enqueues writing the pattern of p.seed over page p.page, for each p of `seeds[0, count)`.
///
/// seeds       device-accessible, unchanged until `stream` has passed this point; pages are distinct.
/// page_bytes  a multiple of 16.
/// Errors      CudaError if the launch is refused; count 0 launches nothing.
void launch_fill_pages(PageArray pages, const PageSeed* seeds, std::uint32_t count, std::size_t page_bytes,
                       StreamView stream);

/// Enqueues wrong_words[i] = number of 16-byte words of page seeds[i].page that differ from the pattern of
/// seeds[i].seed, for each i of [0, count).
///
/// seeds, wrong_words  device-accessible, untouched by others until `stream` has passed this point.
/// page_bytes          a multiple of 16.
/// Errors              CudaError if the launch is refused; count 0 launches nothing.
void launch_verify_pages(PageArray pages, const PageSeed* seeds, std::uint32_t count, std::size_t page_bytes,
                         std::uint32_t* wrong_words, StreamView stream);

}  // namespace kvbm::kernels
