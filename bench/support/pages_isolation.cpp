#include "bench/support/pages_isolation.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <optional>
#include <stdexcept>
#include <system_error>

extern char** environ;  // NOLINT: POSIX names it so

namespace kvbm::bench {
namespace {

using Clock = std::chrono::steady_clock;

[[noreturn]] void refuse(int code, const std::string& call) {
  throw std::system_error(code, std::generic_category(), call);
}

/// The end of a pipe that is read.
class Pipe {
 public:
  Pipe() {
    if (::pipe2(ends_.data(), O_CLOEXEC) != 0) refuse(errno, "pipe2");
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  ~Pipe() {
    for (int& end : ends_) close_end(end);
  }
  [[nodiscard]] int writer() const noexcept { return ends_[1]; }
  void close_writer() noexcept { close_end(ends_[1]); }

  /// Appends what comes until the writers are gone; false if that takes longer than until `end`.
  bool read_all(std::string& text, Clock::time_point end) const {
    for (;;) {
      const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - Clock::now()).count();
      pollfd ready{.fd = ends_[0], .events = POLLIN, .revents = 0};
      const int count = left <= 0 ? 0 : ::poll(&ready, 1, static_cast<int>(left));
      if (count == 0) return false;
      if (count < 0 && errno == EINTR) continue;
      std::array<char, 4096> piece{};
      const ssize_t got = ::read(ends_[0], piece.data(), piece.size());
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return true;
      text.append(piece.data(), static_cast<std::size_t>(got));
    }
  }

 private:
  static void close_end(int& end) noexcept {
    if (end >= 0) ::close(end);
    end = -1;
  }
  std::array<int, 2> ends_{-1, -1};
};

pid_t start(const IsolatedCase& which, const Pipe& output) {
  std::vector<char*> words{const_cast<char*>(which.program.c_str())};
  for (const std::string& argument : which.arguments) words.push_back(const_cast<char*>(argument.c_str()));
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  if (const int code = ::posix_spawn_file_actions_init(&actions)) refuse(code, "posix_spawn_file_actions_init");
  pid_t process = 0;
  int code = ::posix_spawn_file_actions_adddup2(&actions, output.writer(), STDOUT_FILENO);
  if (code == 0) code = ::posix_spawn(&process, which.program.c_str(), &actions, nullptr, words.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (code != 0) refuse(code, "posix_spawn " + which.program);
  return process;
}

/// How the process ended; nothing if that takes longer than until `end`.
std::optional<int> reaped(pid_t process, Clock::time_point end) {
  constexpr int kLookAgainMs = 5;
  for (;;) {
    int status = 0;
    const pid_t ended = ::waitpid(process, &status, WNOHANG);
    if (ended == process) return status;
    if (ended < 0 && errno != EINTR) refuse(errno, "waitpid");
    if (Clock::now() >= end) return std::nullopt;
    ::poll(nullptr, 0, kLookAgainMs);
  }
}

/// What was wrong with a status; empty for a good end.
std::string problem_of(int status) {
  if (WIFSIGNALED(status)) return fmt::format("signal {}", WTERMSIG(status));
  if (WEXITSTATUS(status) > 1) return fmt::format("exit status {}", WEXITSTATUS(status));
  return {};
}

/// Waits for the process, kills it if it is late, and says what was wrong; empty for a good end.
std::string finish(pid_t process, bool is_late, Clock::time_point end, std::chrono::milliseconds limit) {
  constexpr std::chrono::seconds kDying{5};  // in the driver, where signals wait
  if (!is_late) {
    if (const auto status = reaped(process, end)) return problem_of(*status);
  }
  ::kill(process, SIGKILL);
  static_cast<void>(reaped(process, Clock::now() + kDying));
  return fmt::format("no end within {} s", std::chrono::duration<double>(limit).count());
}

}  // namespace

PagesReport run_isolated(const IsolatedCase& which) {
  const Clock::time_point begin = Clock::now();
  Pipe output;
  const pid_t process = start(which, output);
  output.close_writer();
  std::string text;
  const Clock::time_point end = begin + which.limit;
  const bool is_late = !output.read_all(text, end);
  std::string problem = finish(process, is_late, end, which.limit);
  PagesReport report;
  try {
    report = parse_pages_report(text.substr(0, text.rfind('\n') + 1));  // a line may have been cut off
  } catch (const std::runtime_error& error) {
    if (problem.empty()) problem = error.what();
  }
  if (problem.empty() && report.rows.empty() && report.failures.empty()) problem = "it ended and said nothing";
  if (!problem.empty()) report.failures.push_back({which.id, std::move(problem)});
  return report;
}

}  // namespace kvbm::bench
