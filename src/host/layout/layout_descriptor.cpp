#include "kvbm/layout/layout_descriptor.hpp"

#include <optional>
#include <string>
#include <utility>

#include "layout/layout_error.hpp"
#include "layout/strides.hpp"

namespace kvbm {
namespace {

using Code = LayoutError::Code;

constexpr std::uint32_t kMagic = 0x4C42'564Bu;  // "KVBL"

class Writer {
 public:
  template <class Number>
  void put(Number number) {
    for (std::size_t i = 0; i < sizeof(Number); ++i) bytes_.push_back(static_cast<std::byte>(number >> (8 * i)));
  }
  [[nodiscard]] std::vector<std::byte> take() && { return std::move(bytes_); }

 private:
  std::vector<std::byte> bytes_;
};

/// Takes numbers off the front. After the end there are only zeros, and ok() is false.
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <class Number>
  [[nodiscard]] Number take() {
    if (bytes_.size() < sizeof(Number)) {
      ok_ = false;
      return 0;
    }
    std::uint64_t number = 0;
    for (std::size_t i = 0; i < sizeof(Number); ++i) number |= std::to_integer<std::uint64_t>(bytes_[i]) << (8 * i);
    bytes_ = bytes_.subspan(sizeof(Number));
    return static_cast<Number>(number);
  }
  /// An enumerator, which is at most `last`.
  template <class Enumeration>
  [[nodiscard]] Enumeration take_up_to(Enumeration last) {
    const auto number = take<std::uint8_t>();
    if (number > static_cast<std::uint8_t>(last)) ok_ = false;
    return static_cast<Enumeration>(number);
  }

  void refuse() noexcept { ok_ = false; }
  [[nodiscard]] bool ok() const noexcept { return ok_; }
  [[nodiscard]] std::size_t rest() const noexcept { return bytes_.size(); }

 private:
  std::span<const std::byte> bytes_;
  bool ok_ = true;
};

LayoutConfig take_config(Reader& reader) {
  LayoutConfig config;
  config.blocks = reader.take<std::uint32_t>();
  config.layers = reader.take<std::uint32_t>();
  config.outer = reader.take<std::uint32_t>();
  config.tokens = reader.take<std::uint32_t>();
  config.inner = reader.take<std::uint32_t>();
  const bool has_heads = reader.take_up_to(true);
  const auto heads = reader.take<std::uint32_t>();
  if (has_heads) config.heads = heads;
  if (!has_heads && heads != 0) reader.refuse();
  config.element_bytes = reader.take<std::uint32_t>();
  config.alignment = reader.take<std::uint64_t>();
  config.order = reader.take_up_to(static_cast<InnerOrder>(kInnerOrders - 1));
  return config;
}

void put_config(Writer& writer, const LayoutConfig& config) {
  writer.put(config.blocks);
  writer.put(config.layers);
  writer.put(config.outer);
  writer.put(config.tokens);
  writer.put(config.inner);
  writer.put(static_cast<std::uint8_t>(config.heads.has_value()));
  writer.put(config.heads.value_or(0));
  writer.put(config.element_bytes);
  writer.put(std::uint64_t{config.alignment});
  writer.put(static_cast<std::uint8_t>(config.order));
}

// The shape and its regions, as BlockLayout::create would check them.
Result<void, LayoutError> check(const LayoutDescriptor& descriptor) {
  if (auto checked = check_config(descriptor.config, descriptor.kind); !checked) return checked;
  const std::size_t count = region_count(descriptor.config, descriptor.kind);
  if (descriptor.regions.size() != count) {
    return fail(numbers_error(Code::RegionCountMismatch, "regions", count, descriptor.regions.size()));
  }
  const std::uint64_t needed = region_bytes_needed(descriptor.config, descriptor.kind);
  for (const LayoutDescriptor::Place& region : descriptor.regions) {
    if (region.bytes < needed) {
      return fail(numbers_error(Code::RegionTooSmall, "bytes of a region", needed, region.bytes));
    }
  }
  return {};
}

Failure<LayoutError> malformed(const char* what) {
  return fail(LayoutError{Code::Malformed, std::string("layout descriptor: ") + what});
}

}  // namespace

Result<std::uint64_t, LayoutError> LayoutDescriptor::cell_address(BlockId block, std::uint32_t layer,
                                                                  std::uint32_t outer) const {
  if (auto checked = check_indices(config, block, layer, outer); !checked) return fail(checked.error());
  const PageView view = strides_of(config, kind);
  const std::uint64_t base = kind == LayoutKind::FullyContiguous ? regions.front().address + layer * view.layer_stride
                                                                 : regions[layer].address;
  return base + block * view.block_stride + outer * view.outer_stride;
}

LayoutDescriptor describe(const BlockLayout& layout) {
  LayoutDescriptor descriptor{.config = layout.config(), .kind = layout.kind(), .memory_kind = layout.memory_kind()};
  descriptor.device = layout.regions().front().region().device;
  for (const Memory& region : layout.regions()) {
    descriptor.regions.push_back({reinterpret_cast<std::uintptr_t>(region.address()), region.bytes()});
  }
  return descriptor;
}

std::vector<std::byte> to_bytes(const LayoutDescriptor& descriptor) {
  Writer writer;
  writer.put(kMagic);
  writer.put(LayoutDescriptor::kVersion);
  put_config(writer, descriptor.config);
  writer.put(static_cast<std::uint8_t>(descriptor.kind));
  writer.put(static_cast<std::uint8_t>(descriptor.memory_kind));
  writer.put(static_cast<std::uint32_t>(descriptor.device));
  writer.put(descriptor.block_format);
  writer.put(static_cast<std::uint32_t>(descriptor.regions.size()));
  for (const LayoutDescriptor::Place& region : descriptor.regions) {
    writer.put(region.address);
    writer.put(region.bytes);
  }
  return std::move(writer).take();
}

Result<LayoutDescriptor, LayoutError> parse_layout_descriptor(std::span<const std::byte> bytes) {
  Reader reader(bytes);
  if (reader.take<std::uint32_t>() != kMagic) return malformed("does not begin with the magic number");
  const auto version = reader.take<std::uint32_t>();
  if (reader.ok() && version != LayoutDescriptor::kVersion) {
    return fail(numbers_error(Code::UnknownVersion, "layout descriptor version", LayoutDescriptor::kVersion, version));
  }
  LayoutDescriptor descriptor{.config = take_config(reader)};
  descriptor.kind = reader.take_up_to(LayoutKind::LayerSeparateOuterFirst);
  descriptor.memory_kind = reader.take_up_to(MemoryKind::Device);
  descriptor.device = static_cast<int>(reader.take<std::uint32_t>());
  descriptor.block_format = reader.take<std::uint32_t>();
  const auto count = reader.take<std::uint32_t>();
  if (!reader.ok()) return malformed("is cut short, or a field has a value that none has");
  if (reader.rest() != std::size_t{count} * sizeof(LayoutDescriptor::Place)) {
    return malformed("has more or fewer regions than it says");
  }
  for (std::uint32_t i = 0; i < count; ++i) {
    const auto address = reader.take<std::uint64_t>();
    descriptor.regions.push_back({address, reader.take<std::uint64_t>()});
  }
  if (auto checked = check(descriptor); !checked) return fail(checked.error());
  return descriptor;
}

}  // namespace kvbm
