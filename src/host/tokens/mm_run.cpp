#include "kvbm/tokens/mm_run.hpp"

#include <algorithm>

#include "kvbm/base/assert.hpp"

namespace kvbm {

std::optional<std::size_t> MmRun::checked_end() const noexcept {
  std::size_t end = 0;
  if (__builtin_add_overflow(offset, length, &end)) return std::nullopt;
  return end;
}

std::size_t MmRun::end() const noexcept {
  const std::optional<std::size_t> end = checked_end();
  KVBM_ASSERT(end.has_value(), "the end of a multimodal run overflows");
  return *end;
}

bool MmRun::covers(std::size_t position) const noexcept {
  const std::optional<std::size_t> end = checked_end();
  return end && offset <= position && position < *end;
}

std::string MmInfoError::text() const {
  switch (kind) {
    case Kind::EmptyRun:
      return "EmptyRun: a multimodal run has length 0";
    case Kind::OffsetOverflow:
      return "OffsetOverflow: offset " + std::to_string(offset) + " + length " + std::to_string(length);
    case Kind::OutOfBounds:
      return "OutOfBounds: offset " + std::to_string(offset) + " + length " + std::to_string(length) + " of " +
             std::to_string(tokens) + " tokens";
    case Kind::Overlapping:
      return "Overlapping: the run at offset " + std::to_string(offset) + " begins inside another";
  }
  return {};
}

Result<std::vector<MmRun>, MmInfoError> sorted_runs(std::span<const MmRun> runs, std::size_t tokens) {
  using Kind = MmInfoError::Kind;
  std::vector<MmRun> sorted(runs.begin(), runs.end());
  std::ranges::stable_sort(sorted, {}, &MmRun::offset);
  std::size_t previous_end = 0;
  for (const MmRun& run : sorted) {
    if (run.length == 0) return fail(MmInfoError{Kind::EmptyRun});
    const std::optional<std::size_t> end = run.checked_end();
    if (!end) return fail(MmInfoError{Kind::OffsetOverflow, run.offset, run.length});
    if (*end > tokens) return fail(MmInfoError{Kind::OutOfBounds, run.offset, run.length, tokens});
    if (run.offset < previous_end) return fail(MmInfoError{Kind::Overlapping, run.offset});
    previous_end = *end;
  }
  return sorted;
}

}  // namespace kvbm
