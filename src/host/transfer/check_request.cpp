#include "transfer/check_request.hpp"

#include <algorithm>
#include <cstdint>
#include <string>

#include "transfer/peer_copy.hpp"
#include "transfer/strategy.hpp"
#include "transfer/transfer_box.hpp"

namespace kvbm {
namespace {

using Code = TransferError::Code;
using Checked = Result<void, TransferError>;

Checked check_device(const char* side, const BlockLayout& layout, const Device* device) {
  if (layout.memory_kind() == MemoryKind::System || layout.device().get() == device) return {};
  if (layout.memory_kind() == MemoryKind::Device && are_peers(*layout.device(), *device)) return {};
  return refuse(Code::Unsupported, "the " + std::string(side) + " is " + name_of(layout.memory_kind()) +
                                       " memory of another device than the engine's");
}

Checked check_in_range(const TransferRequest& request) {
  const std::uint32_t source_blocks = request.source->config().blocks;
  const std::uint32_t target_blocks = request.target->config().blocks;
  for (const BlockPair pair : request.blocks) {
    if (pair.source >= source_blocks || pair.target >= target_blocks) {
      const bool is_source = pair.source >= source_blocks;
      return refuse(Code::BlockOutOfRange, std::string(is_source ? "source" : "target") + " block " +
                                               std::to_string(is_source ? pair.source : pair.target) +
                                               " of a layout of " +
                                               std::to_string(is_source ? source_blocks : target_blocks));
    }
  }
  return {};
}

void append_id(std::string& ids, BlockId block) {
  if (!ids.empty()) ids += ", ";
  ids += std::to_string(block);
}

/// Precondition: all targets are marked, none is in `marks` by another way.
Checked check_disjoint(const TransferRequest& request, const BlockMarks& targets) {
  std::string both;
  for (const BlockPair pair : request.blocks) {
    if (targets.contains(pair.source)) append_id(both, pair.source);
  }
  if (both.empty()) return {};
  return refuse(Code::SourceIsTarget, "source and target of one layout: block " + both);
}

Checked check_ids(const TransferRequest& request, BlockMarks& marks) {
  marks.reserve(request.target->config().blocks);
  struct Clearing {
    std::span<const BlockPair> blocks;
    BlockMarks& marks;
    ~Clearing() {
      for (const BlockPair pair : blocks) marks.clear_around(pair.target);
    }
  } const clearing{request.blocks, marks};
  std::string twice;
  for (const BlockPair pair : request.blocks) {
    if (!marks.insert(pair.target)) append_id(twice, pair.target);
  }
  if (!twice.empty()) return refuse(Code::DuplicateTarget, "target named more than once: block " + twice);
  if (request.source == request.target) return check_disjoint(request, marks);
  return {};
}

struct Interval {
  const std::byte* begin;
  const std::byte* end;

  [[nodiscard]] bool overlaps(const Interval& other) const noexcept {
    return std::less<>()(begin, other.end) && std::less<>()(other.begin, end);
  }
};

Interval interval_of(const Memory& memory) noexcept { return {memory.address(), memory.address() + memory.bytes()}; }

Interval hull_of(const BlockLayout& layout) noexcept {
  Interval hull = interval_of(layout.regions().front());
  for (const Memory& region : layout.regions()) {
    hull.begin = std::min(hull.begin, interval_of(region).begin, std::less<>());
    hull.end = std::max(hull.end, interval_of(region).end, std::less<>());
  }
  return hull;
}

/// Two layouts over the same bytes; that of one layout with itself is a matter of ids.
Checked check_apart(const BlockLayout& source, const BlockLayout& target) {
  const bool source_on_device = source.memory_kind() == MemoryKind::Device;
  if (&source == &target || source_on_device != (target.memory_kind() == MemoryKind::Device)) return {};
  if (!hull_of(source).overlaps(hull_of(target))) return {};
  for (const Memory& from : source.regions()) {
    for (const Memory& to : target.regions()) {
      if (interval_of(from).overlaps(interval_of(to))) {
        return refuse(Code::SourceIsTarget,
                      "the two layouts lie over the same " + std::string(name_of(source.memory_kind())) + " memory");
      }
    }
  }
  return {};
}

}  // namespace

Result<void, TransferError> check_request(const TransferRequest& request, const Device* device, BlockMarks& marks) {
  const BlockLayout& source = *request.source;
  const BlockLayout& target = *request.target;
  if (auto checked = check_box(request); !checked) return checked;
  if (auto checked = check_device("source", source, device); !checked) return checked;
  if (auto checked = check_device("target", target, device); !checked) return checked;
  if (auto checked = check_in_range(request); !checked) return checked;
  if (auto checked = check_ids(request, marks); !checked) return checked;
  return check_apart(source, target);
}

}  // namespace kvbm
