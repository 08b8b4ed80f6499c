#pragma once

#include <vector>

#include "model.hpp"
#include "workload.hpp"

namespace engine {

/// What is right: each turn by itself on the CPU, its keys and values in one array without pages, nothing reused.
struct Reference {
  std::vector<Tokens> prompts;  ///< of each turn, with the conversation so far
  std::vector<Answer> answers;
};

[[nodiscard]] Reference run_reference(const std::vector<Turn>& workload, const std::vector<float>& weights);

}  // namespace engine
