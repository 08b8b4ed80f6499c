#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace kvbm {

/// One size of huge pages that the administrator set aside.
struct HugePagePool {
  std::size_t page_bytes;
  std::uint64_t pages_free;  ///< and not promised to anybody
};

/// The pools in order of page size; none without sysfs. One with malformed files counts as empty.
[[nodiscard]] std::vector<HugePagePool> huge_page_pools(const std::string& root);
/// The smallest page size with enough free pages for `bytes`; nothing if there is none.
[[nodiscard]] std::optional<std::size_t> huge_page_for(const std::vector<HugePagePool>& pools, std::size_t bytes);
/// How much of [begin, end) is transparent huge pages, by the text of /proc/self/smaps. A mapping that has grown
/// together with its neighbours counts as far as it overlaps.
[[nodiscard]] std::uint64_t transparent_huge_bytes(std::string_view smaps, std::uintptr_t begin, std::uintptr_t end);

}  // namespace kvbm
