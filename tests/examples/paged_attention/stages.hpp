#pragma once

#include <cstddef>
#include <cstdint>

#include "kvbm/base/types.hpp"
#include "kvbm/device/kernel_call.hpp"
#include "kvbm/layout/page_view.hpp"
#include "model.hpp"

namespace engine {

inline constexpr std::uint32_t kColumns = 8;  ///< outputs of a matrix that one work item computes
inline constexpr std::uint32_t kKeys = 0;     ///< outer index
inline constexpr std::uint32_t kValues = 1;

/// The rows of one step as the device sees them: one row per token to compute, of any number of sequences.
///
/// Shape  tokens, positions, sequences [rows]; page_begins, writable_from [sequences]; pages: the page tables, one
///        behind the other.
struct BatchView {
  const std::uint32_t* tokens;
  const std::uint32_t* positions;
  const std::uint32_t* sequences;
  const std::uint32_t* page_begins;
  const std::uint32_t* writable_from;  ///< keys and values of positions before are there, in pages that others read too
  const kvbm::BlockId* pages;
  std::uint32_t rows;

  /// The page of the block'th block of the sequence that `row` belongs to.
  [[nodiscard]] KVBM_HOST_DEVICE kvbm::BlockId page_of(std::uint32_t row, std::uint32_t block) const {
    return pages[page_begins[sequences[row]] + block];
  }
  [[nodiscard]] KVBM_HOST_DEVICE bool is_writable(std::uint32_t row) const {
    return positions[row] >= writable_from[sequences[row]];
  }
};

/// The pages of the KV cache as floats. Shape of a cell: [tokens_per_block, heads, head_dim].
struct CacheView {
  kvbm::PageView pages;
  std::uint32_t tokens_per_block;

  [[nodiscard]] KVBM_HOST_DEVICE float* token(kvbm::BlockId page, std::uint32_t layer, std::uint32_t outer,
                                              std::uint32_t slot) const {
    return reinterpret_cast<float*>(pages.cell(page, layer, outer)) + slot * kWidth;
  }
};

/// The stages of a forward pass: arguments by value, and what to do for each of count() work items (stages.cuh), on
/// the CPU or in a kernel. They run in order, since each reads what the one before it wrote.
struct Embed {
  static constexpr const char* kName = "engine.embed";

  Weights weights;
  BatchView batch;
  float* output;

  [[nodiscard]] std::uint32_t count() const { return batch.rows; }
  KVBM_HOST_DEVICE void operator()(std::uint32_t row) const;
};

/// output[i] = input[rows[i]], or input[i] if rows is null, at length 1.
struct Normalize {
  static constexpr const char* kName = "engine.normalize";

  const float* input;
  const std::uint32_t* rows;
  std::uint32_t row_count;
  float* output;

  [[nodiscard]] std::uint32_t count() const { return row_count; }
  KVBM_HOST_DEVICE void operator()(std::uint32_t item) const;
};

/// Writes queries, and keys and values to the page and slot of each row's position where that is writable.
struct ProjectQkv {
  static constexpr const char* kName = "engine.project_qkv";

  Weights weights;
  BatchView batch;
  CacheView cache;
  std::uint32_t layer;
  const float* input;
  float* queries;

  [[nodiscard]] std::uint32_t count() const { return batch.rows * (3 * kWidth / kColumns); }
  KVBM_HOST_DEVICE void operator()(std::uint32_t item) const;
};

struct Attend {
  static constexpr const char* kName = "engine.attend";

  BatchView batch;
  CacheView cache;
  std::uint32_t layer;
  const float* queries;
  float* output;

  [[nodiscard]] std::uint32_t count() const { return batch.rows * kHeads; }
  KVBM_HOST_DEVICE void operator()(std::uint32_t item) const;
};

enum class After : std::uint8_t { Store, Rectify, Add };

/// output = after(input * matrix)
template <std::uint32_t kInputs, std::uint32_t kOutputs, After kAfter>
struct Multiply {
  static constexpr const char* kName = "engine.multiply";

  const float* input;
  const float* matrix;
  std::uint32_t rows;
  float* output;

  [[nodiscard]] std::uint32_t count() const { return rows * (kOutputs / kColumns); }
  KVBM_HOST_DEVICE void operator()(std::uint32_t item) const;
};
using ProjectOutput = Multiply<kWidth, kWidth, After::Add>;
using ProjectUp = Multiply<kWidth, kMlp, After::Rectify>;
using ProjectDown = Multiply<kMlp, kWidth, After::Add>;
using Unembed = Multiply<kWidth, kVocabulary, After::Store>;

struct PickLargest {
  static constexpr const char* kName = "engine.pick_largest";

  const float* logits;
  std::uint32_t rows;
  std::uint32_t* tokens;

  [[nodiscard]] std::uint32_t count() const { return rows; }
  KVBM_HOST_DEVICE void operator()(std::uint32_t item) const;
};

/// A stage as something to launch on either kind of device. Stages are those named above.
template <class Stage>
[[nodiscard]] kvbm::KernelCall stage_call(const Stage& stage);

}  // namespace engine
