#include "tests/golden/conformance_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <exception>
#include <fstream>
#include <optional>
#include <system_error>

#include "tests/golden/conformance_comparison.hpp"
#include "tests/golden/conformance_json.hpp"
#include "tests/golden/conformance_lines.hpp"
#include "tests/golden/conformance_trace.hpp"
#include "tests/golden/tinylfu_checks.hpp"
#include "tests/golden/token_checks.hpp"

namespace kvbm::conformance {
namespace {

/// Takes the lines of one file to whatever they are about.
class LineChecker {
 public:
  /// Errors  Difference; std::exception for a line that cannot be replayed.
  void take(const Json& line) {
    if (line.contains("k")) return take_tokens(line);
    if (line.contains("t")) return take_frame(line);
    if (!line.contains("o")) refuse("a line of unknown kind: none of \"k\", \"t\" and \"o\"");
    if (trace_) return trace_->take(line, comparison_);
    if (!sketch_) refuse("an operation before any header");
    pass_on(sketch_->check_line(line, checks_));
  }

  /// Errors  std::invalid_argument if the last line should not have been the last.
  void finish() const {
    if (trace_) refuse(fmt::format("the file ends within trace {}, without its trailer", trace_->id()));
  }

  [[nodiscard]] std::size_t checks() const noexcept { return checks_; }

 private:
  void take_tokens(const Json& line) {
    finish();
    (void)natural(field(line, "id"), "id");
    sketch_.reset();
    pass_on(check_token_line(line, checks_));
  }

  void take_frame(const Json& line) {
    const std::string& kind = text(field(line, "t"), "t");
    if (kind == "end") {
      if (!trace_) refuse("a trailer without a trace");
      trace_->end(line, comparison_);
      return trace_.reset();
    }
    finish();
    sketch_.reset();
    if (kind == "trace") {
      trace_.emplace(line, comparison_);
    } else if (kind == "tinylfu") {
      (void)natural(field(line, "id"), "id");
      pass_on(sketch_.emplace().check_line(line, checks_));
    } else {
      refuse(fmt::format("unknown header \"{}\"", kind));
    }
  }

  static void pass_on(const std::optional<Mismatch>& found) {
    if (found) throw Difference(*found);
  }

  std::size_t checks_ = 0;
  Comparison comparison_{checks_};
  std::optional<TinyLfuChecker> sketch_;
  std::optional<TraceReplay> trace_;
};

}  // namespace

FileReport check_stream(std::istream& input, const std::string& name) {
  LineReader lines(input);
  LineChecker checker;
  const auto report = [&](FileReport::Verdict verdict, const std::string& said) {
    return FileReport{verdict, lines.number(), checker.checks(),
                      fmt::format("{}:{}: {}", name, std::max<std::size_t>(lines.number(), 1), said)};
  };
  try {
    std::string line;
    while (lines.next(line)) checker.take(parse_line(line));
    if (lines.number() == 0) refuse("the file is empty");
    checker.finish();
  } catch (const Difference& difference) {
    const Mismatch& found = difference.mismatch();
    return report(FileReport::Verdict::Different,
                  fmt::format("{}: expected {}, got {}", found.field, found.expected, found.got));
  } catch (const std::exception& error) {
    return report(FileReport::Verdict::Broken, fmt::format("cannot be replayed: {}", error.what()));
  }
  return {FileReport::Verdict::Same, lines.number(), checker.checks(),
          fmt::format("{}: {} checks in {} lines, all as recorded", name, checker.checks(), lines.number())};
}

FileReport check_file(const std::string& path) {
  std::ifstream input(path, std::ios::binary);
  if (!input) {
    const std::string reason = std::generic_category().message(errno);
    return {FileReport::Verdict::Broken, 0, 0, fmt::format("{}: cannot be opened: {}", path, reason)};
  }
  return check_stream(input, path);
}

}  // namespace kvbm::conformance
