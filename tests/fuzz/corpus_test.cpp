#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "tests/fuzz/fuzz_targets.hpp"

// The everyday run of what the fuzzers run for long: each corpus as it is, and some thousand changes to it, always the
// same ones.

namespace kvbm::fuzz {
namespace {

using Bytes = std::vector<std::uint8_t>;

std::vector<Bytes> corpus(const std::string& name) {
  std::vector<std::filesystem::path> paths;
  for (const auto& file : std::filesystem::directory_iterator(KVBM_SOURCE_DIR "/tests/fuzz/corpus/" + name)) {
    paths.push_back(file.path());
  }
  std::sort(paths.begin(), paths.end());
  std::vector<Bytes> inputs;
  for (const std::filesystem::path& path : paths) {
    std::ifstream file(path, std::ios::binary);
    inputs.emplace_back(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  return inputs;
}

/// One small change at a place of its choice.
class Mutator {
 public:
  [[nodiscard]] Bytes operator()(Bytes bytes) {
    for (std::size_t changes = 1 + below(4); changes != 0; --changes) change(bytes);
    return bytes;
  }

 private:
  std::size_t below(std::size_t bound) { return static_cast<std::size_t>(random_() % bound); }
  static Bytes::iterator at(Bytes& bytes, std::size_t place) {
    return bytes.begin() + static_cast<std::ptrdiff_t>(place);
  }

  void change(Bytes& bytes) {
    if (bytes.empty()) return bytes.push_back('0');
    const std::size_t place = below(bytes.size());
    const std::size_t end = place + 1 + below(std::min<std::size_t>(bytes.size() - place, 32));
    switch (below(6)) {
      case 0:
        bytes[place] = static_cast<std::uint8_t>(random_());
        return;
      case 1:  // a digit or bracket for another: what a reader of JSON looks at
        bytes[place] = static_cast<std::uint8_t>(kSyntax[below(kSyntax.size())]);
        return;
      case 2:
        bytes.erase(at(bytes, place), at(bytes, end));
        return;
      case 3: {
        const Bytes piece(at(bytes, place), at(bytes, end));
        bytes.insert(at(bytes, below(bytes.size())), piece.begin(), piece.end());
        return;
      }
      case 4:
        bytes.resize(place);
        return;
      default:
        std::swap(bytes[place], bytes[below(bytes.size())]);
    }
  }

  const std::string kSyntax = "0123456789-.eE[]{}\",:\n null";
  std::mt19937_64 random_{20'260'101};
};

void run(void (*target)(std::span<const std::uint8_t>), const std::string& name, std::size_t changes) {
  const std::vector<Bytes> inputs = corpus(name);
  ASSERT_FALSE(inputs.empty());
  for (const Bytes& input : inputs) target(input);
  Mutator mutate;
  for (std::size_t i = 0; i < changes; ++i) target(mutate(inputs[i % inputs.size()]));
}

TEST(FuzzCorpus, RecordingsGetAVerdict) { run(replay_recording, "conformance", 10'000); }

TEST(FuzzCorpus, TracesAreReadOrRefused) { run(read_trace, "trace_reader", 50'000); }

TEST(FuzzCorpus, TokenSequencesAgreeWithTheirModel) { run(edit_token_sequence, "token_sequence", 20'000); }

}  // namespace
}  // namespace kvbm::fuzz
