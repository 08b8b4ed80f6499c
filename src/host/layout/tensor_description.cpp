#include "kvbm/layout/tensor_description.hpp"

#include <string>

#include "layout/layout_error.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;

Result<std::uint64_t, LayoutError> checked_bytes(const TensorDescription& tensor, int device, const std::string& name) {
  if (tensor.kind != MemoryKind::Device)
    return fail(LayoutError{Code::NotDeviceMemory, name + " is not device memory"});
  if (tensor.device != device) {
    return fail(LayoutError{Code::MixedMemoryKinds, name + " is on device " + std::to_string(tensor.device) +
                                                        ", tensor 0 on device " + std::to_string(device)});
  }
  if (!tensor.is_contiguous())
    return fail(LayoutError{Code::NotContiguous, name + " has strides that are not contiguous"});
  const std::optional<std::uint64_t> elements = tensor.elements();
  std::uint64_t bytes = 0;
  if (!elements || __builtin_mul_overflow(*elements, std::uint64_t{tensor.element_bytes}, &bytes)) {
    return fail(LayoutError{Code::SizeOverflow, "the bytes of " + name + " overflow 64 bits"});
  }
  if (bytes == 0 || tensor.address == nullptr) {
    return fail(numbers_error(Code::RegionTooSmall, "bytes of " + name, 1, 0));
  }
  return bytes;
}

}  // namespace

std::optional<std::uint64_t> TensorDescription::elements() const noexcept {
  std::uint64_t count = 1;
  for (std::uint64_t extent : shape) {
    if (__builtin_mul_overflow(count, extent, &count)) return std::nullopt;
  }
  return count;
}

bool TensorDescription::is_contiguous() const noexcept {
  if (strides.size() != shape.size()) return false;
  std::uint64_t expected = 1;
  for (std::size_t i = shape.size(); i-- > 0;) {
    if (shape[i] == 1) continue;
    if (strides[i] < 0 || static_cast<std::uint64_t>(strides[i]) != expected) return false;
    expected *= shape[i];  // a wrap is caught by elements()
  }
  return true;
}

Result<std::vector<Memory>, LayoutError> regions_of(std::span<const TensorDescription> tensors) {
  if (tensors.empty()) return fail(LayoutError{Code::NoRegion, "a layout needs at least one tensor"});
  std::vector<Memory> regions;
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const TensorDescription& tensor = tensors[i];
    const auto bytes = checked_bytes(tensor, tensors.front().device, "tensor " + std::to_string(i));
    if (!bytes) return fail(bytes.error());
    const Region region{
        .address = tensor.address, .bytes = *bytes, .kind = MemoryKind::Device, .device = tensor.device};
    regions.push_back(borrow_memory(region, tensor.owner));
  }
  return regions;
}

}  // namespace kvbm
