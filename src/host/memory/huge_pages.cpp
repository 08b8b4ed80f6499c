#include "memory/huge_pages.hpp"

#include <algorithm>
#include <charconv>

#include "memory/folder_names.hpp"
#include "memory/text_file.hpp"

namespace kvbm {
namespace {

/// The number at the front of `text`, which is cut off; nothing if there is none.
std::optional<std::uint64_t> take_number(std::string_view& text, int base = 10) noexcept {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, base);
  if (error != std::errc()) return std::nullopt;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return value;
}

std::uint64_t count_in(const std::string& path) {
  const std::optional<std::string> text = read_text_file(path);
  if (!text) return 0;
  std::string_view rest = *text;
  const std::optional<std::uint64_t> count = take_number(rest);
  return count && (rest.empty() || rest == "\n") ? *count : 0;
}

/// The page size that a folder "hugepages-2048kB" is for.
std::optional<std::size_t> page_bytes_of(std::string_view name) {
  constexpr std::string_view kPrefix = "hugepages-";
  if (!name.starts_with(kPrefix)) return std::nullopt;
  name.remove_prefix(kPrefix.size());
  const std::optional<std::uint64_t> kilobytes = take_number(name);
  if (!kilobytes || name != "kB" || *kilobytes == 0 || (*kilobytes & (*kilobytes - 1)) != 0) return std::nullopt;
  return static_cast<std::size_t>(*kilobytes) << 10;
}

/// How many bytes of [begin, end) lie in the mapping that `line` opens; nothing if it opens none.
std::optional<std::uint64_t> overlap_opened(std::string_view line, std::uintptr_t begin, std::uintptr_t end) noexcept {
  const std::optional<std::uint64_t> from = take_number(line, 16);
  if (!from || !line.starts_with("-")) return std::nullopt;
  line.remove_prefix(1);
  const std::optional<std::uint64_t> to = take_number(line, 16);
  if (!to || !line.starts_with(" ")) return std::nullopt;
  const std::uint64_t first = std::max<std::uint64_t>(*from, begin);
  const std::uint64_t last = std::min<std::uint64_t>(*to, end);
  return last > first ? last - first : 0;
}

}  // namespace

std::vector<HugePagePool> huge_page_pools(const std::string& root) {
  std::vector<HugePagePool> pools;
  const std::string folder = root + "/sys/kernel/mm/hugepages/";
  for (const std::string& name : names_in(folder)) {
    const std::optional<std::size_t> bytes = page_bytes_of(name);
    if (!bytes) continue;
    std::string pool = folder;
    pool += name;
    const std::uint64_t unused = count_in(pool + "/free_hugepages");
    pools.push_back({*bytes, unused - std::min(unused, count_in(pool + "/resv_hugepages"))});
  }
  std::sort(pools.begin(), pools.end(),
            [](const HugePagePool& one, const HugePagePool& two) { return one.page_bytes < two.page_bytes; });
  return pools;
}

std::optional<std::size_t> huge_page_for(const std::vector<HugePagePool>& pools, std::size_t bytes) {
  for (const HugePagePool& pool : pools) {
    const std::uint64_t needed = bytes / pool.page_bytes + (bytes % pool.page_bytes != 0 ? 1 : 0);
    if (needed <= pool.pages_free) return pool.page_bytes;
  }
  return std::nullopt;
}

std::uint64_t transparent_huge_bytes(std::string_view smaps, std::uintptr_t begin, std::uintptr_t end) {
  constexpr std::string_view kLabel = "AnonHugePages:";
  std::uint64_t bytes = 0;
  std::uint64_t overlap = 0;
  while (!smaps.empty()) {
    std::string_view line = smaps.substr(0, smaps.find('\n'));
    smaps.remove_prefix(std::min(smaps.size(), line.size() + 1));
    if (const std::optional<std::uint64_t> opened = overlap_opened(line, begin, end)) {
      overlap = *opened;
    } else if (line.starts_with(kLabel)) {
      line.remove_prefix(std::min(line.find_first_not_of(' ', kLabel.size()), line.size()));
      bytes += std::min(overlap, take_number(line).value_or(0) << 10);
    }
  }
  return bytes;
}

}  // namespace kvbm
