#pragma once

#include <cstdint>

namespace kvbm {

/// How the bytes of a page are to be read. Values other than these are those of encoders that are put between tiers.
enum class PageEncoding : std::uint32_t {
  Raw = 0,  ///< as in G1
};

/// How a page lies in a tier below G1.
///
/// Made by  the cache when a page has arrived (Raw and whole); TieredCache::describe_page.
struct PageRecord {
  PageEncoding encoding = PageEncoding::Raw;
  std::uint64_t stored_bytes = 0;  ///< from the beginning of the page

  friend bool operator==(const PageRecord&, const PageRecord&) = default;
};

}  // namespace kvbm
