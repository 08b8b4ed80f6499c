// kvbm-conformance: does the library answer as the recorded reference did?

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <exception>
#include <string>
#include <vector>

#include "tests/golden/conformance_file.hpp"

namespace kvbm::conformance {
namespace {

constexpr int kSame = 0;
constexpr int kDifferent = 1;
constexpr int kBroken = 2;

/// All files are looked at; the exit code is that of the worst.
int check_files(const std::vector<std::string>& paths) {
  int worst = kSame;
  for (const std::string& path : paths) {
    const FileReport report = check_file(path);
    const bool broken = report.verdict == FileReport::Verdict::Broken;
    fmt::print(broken ? stderr : stdout, "{}\n", report.text);
    std::fflush(stdout);
    worst = std::max(worst, broken ? kBroken : report.verdict == FileReport::Verdict::Same ? kSame : kDifferent);
  }
  return worst;
}

int run(int argument_count, char** arguments) {
  CLI::App app(
      "Replays recorded observations and compares every outcome.\n"
      "Exit code: 0 all as recorded, 1 something differs, 2 a file or the command line is faulty.",
      "kvbm-conformance");
  std::vector<std::string> paths;
  app.add_option("files", paths, "recorded files: tokens, tinylfu, or operations of any backend")
      ->type_name("FILE")
      ->required();
  try {
    app.parse(argument_count, arguments);
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? kSame : kBroken;
  }
  return check_files(paths);
}

}  // namespace
}  // namespace kvbm::conformance

int main(int argument_count, char** arguments) {
  try {
    return kvbm::conformance::run(argument_count, arguments);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "kvbm-conformance: %s\n", error.what());
    return 2;
  }
}
