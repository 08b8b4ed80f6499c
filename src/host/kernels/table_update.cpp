#include "kernels/table_update.cuh"

#include "kernels/launch_table.hpp"

namespace kvbm::kernels {
namespace {

void update_on_host(const TableUpdate& update) {
  MarkEpoch{update, false}();
  for (std::uint32_t i = 0; i < update.count; ++i) ScatterWord{update}(i);
  MarkEpoch{update, true}();
}

}  // namespace

KernelCall table_update(const TableUpdate& update) noexcept {
  return {"kvbm.table_update", update, &update_on_host, launch_table().table_update};
}

}  // namespace kvbm::kernels
