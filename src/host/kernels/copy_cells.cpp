#include "kernels/copy_cells.cuh"

#include <cstring>

#include "kernels/launch_table.hpp"
#include "kvbm/base/assert.hpp"

namespace kvbm::kernels {
namespace {

void check(const CopyCells& copy) {
  KVBM_ASSERT(copy.layers.begin <= copy.layers.end, "layers begin before they end");
  KVBM_ASSERT(copy.blocks != nullptr || copy.count == 0, "a copy with work has block pairs");
}

// Bases of layers are on the device and not looked at.
bool lies_on_16(const PageView& view) {
  const auto base = static_cast<std::uint64_t>(reinterpret_cast<std::uintptr_t>(view.base));
  return ((base | view.block_stride | view.layer_stride | view.outer_stride) & 15) == 0;
}

void copy_on_host(const CopyCells& copy) {
  const CopyPieces pieces(copy, kWarpPieceBytes);
  for (std::uint64_t i = 0; i < pieces.count(); ++i) MovePiece{}(pieces.piece(i), 0, 1);
}

void bulk_copy_on_host(const CopyCells& copy) {
  const CopyPieces pieces(copy, kBulkPieceBytes);
  for (std::uint64_t i = 0; i < pieces.count(); ++i) {
    const CopyPiece piece = pieces.piece(i);
    std::memcpy(piece.target, piece.source, piece.bytes);
  }
}

}  // namespace

KernelCall copy_cells(const CopyCells& copy) noexcept {
  check(copy);
  return {"kvbm.copy_cells", copy, &copy_on_host, launch_table().copy_cells};
}

KernelCall bulk_copy_cells(const CopyCells& copy) noexcept {
  check(copy);
  KVBM_ASSERT(copy.fragment_bytes % 16 == 0 && lies_on_16(copy.source) && lies_on_16(copy.target),
              "bulk copies move multiples of 16 bytes from and to multiples of 16");
  return {"kvbm.bulk_copy_cells", copy, &bulk_copy_on_host, launch_table().bulk_copy_cells};
}

}  // namespace kvbm::kernels
