#pragma once

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvbm/base/result.hpp"
#include "kvbm/sequence/sequence_event.hpp"
#include "kvbm/sequence/sequence_options.hpp"

namespace kvbm {

template <class Tier>
class SchedulableSequence;

/// What a builder was not told.
struct SequenceBuildError {
  enum class Missing : std::uint8_t { Tokens, MaxOutputTokens, BlockSize };
  Missing missing = Missing::Tokens;

  [[nodiscard]] std::string text() const;
  friend bool operator==(const SequenceBuildError&, const SequenceBuildError&) = default;
};

/// Collects what a SchedulableSequence is made of. Tokens, max_output_tokens and block_size must be given.
template <class Tier>
class [[nodiscard]] SequenceBuilder {
 public:
  SequenceBuilder&& tokens(std::vector<Token> tokens) && {
    tokens_ = std::move(tokens);
    return std::move(*this);
  }
  SequenceBuilder&& max_output_tokens(std::size_t count) && {
    options_.max_output_tokens = count;
    has_max_ = true;
    return std::move(*this);
  }
  SequenceBuilder&& block_size(std::uint32_t tokens) && {
    options_.block_size = tokens;
    has_block_size_ = true;
    return std::move(*this);
  }
  SequenceBuilder&& salt(std::uint64_t salt_hash) && {
    options_.salt = salt_hash;
    return std::move(*this);
  }
  SequenceBuilder&& publication(Publication publication) && {
    options_.publication = publication;
    return std::move(*this);
  }
  /// All that the reference does otherwise.
  SequenceBuilder&& as_reference() && {
    options_ = options_.as_reference();
    return std::move(*this);
  }
  SequenceBuilder&& delegate(std::shared_ptr<SequenceDelegate> delegate) && {
    delegate_ = std::move(delegate);
    return std::move(*this);
  }

  /// Errors  SequenceBuildError naming the first value that was not given. A block size of 0 is a bug: it aborts.
  [[nodiscard]] Result<SchedulableSequence<Tier>, SequenceBuildError> build() &&;

 private:
  Result<void, SequenceBuildError> check() const {
    using Missing = SequenceBuildError::Missing;
    if (!tokens_) return fail(SequenceBuildError{Missing::Tokens});
    if (!has_max_) return fail(SequenceBuildError{Missing::MaxOutputTokens});
    if (!has_block_size_) return fail(SequenceBuildError{Missing::BlockSize});
    return {};
  }

  std::optional<std::vector<Token>> tokens_;
  SequenceOptions options_;
  bool has_max_ = false;
  bool has_block_size_ = false;
  std::shared_ptr<SequenceDelegate> delegate_;
};

}  // namespace kvbm
