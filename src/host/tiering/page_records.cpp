#include "src/host/tiering/page_records.hpp"

namespace kvbm {

std::optional<std::string> PageRecords::unreadable(BlockId block) const {
  const PageRecord& record = of(block);
  if (record.encoding != PageEncoding::Raw) {
    return "its page is stored in encoding " + std::to_string(static_cast<std::uint32_t>(record.encoding)) + " (" +
           std::to_string(record.stored_bytes) + " bytes), which nothing here decodes";
  }
  if (record.stored_bytes == page_bytes_) return std::nullopt;
  return "its page is stored as it is, in " + std::to_string(record.stored_bytes) + " bytes of " +
         std::to_string(page_bytes_);
}

}  // namespace kvbm
