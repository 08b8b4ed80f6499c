#include "kvbm/sequence/sequence_builder.hpp"

namespace kvbm {

std::string SequenceBuildError::text() const {
  switch (missing) {
    case Missing::Tokens:
      return "no tokens were given";
    case Missing::MaxOutputTokens:
      return "max_output_tokens was not given";
    case Missing::BlockSize:
      break;
  }
  return "block_size was not given";
}

}  // namespace kvbm
