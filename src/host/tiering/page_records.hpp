#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvbm/base/types.hpp"
#include "kvbm/tiering/page_record.hpp"

namespace kvbm {

/// The record of each page of a tier. At first all are Raw and whole.
///
/// Threads  of one page one at a time: written by who may fill its block, read by who holds that when it is registered.
class PageRecords {
 public:
  PageRecords(std::uint32_t blocks, std::uint64_t page_bytes)
      : page_bytes_(page_bytes), records_(blocks, PageRecord{PageEncoding::Raw, page_bytes}) {}

  [[nodiscard]] const PageRecord& of(BlockId block) const noexcept { return records_[block]; }
  void set(BlockId block, const PageRecord& record) noexcept { records_[block] = record; }
  void set_raw(BlockId block) noexcept { records_[block] = {PageEncoding::Raw, page_bytes_}; }

  /// Why a copy of the page's bytes is not a page of G1; none if it is.
  [[nodiscard]] std::optional<std::string> unreadable(BlockId block) const;

 private:
  const std::uint64_t page_bytes_;
  std::vector<PageRecord> records_;
};

}  // namespace kvbm
