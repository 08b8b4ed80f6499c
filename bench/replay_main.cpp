// kvbm-replay: replays a recorded trace over eviction policies and cache sizes; `--help` lists its options.

#include <unistd.h>

#include <iostream>

#include "bench/support/replay_command.hpp"
#include "bench/support/scheduler_command.hpp"
#include "bench/support/scheduler_options.hpp"

int main(int argc, char** argv) {
  std::ostream* const bar = ::isatty(STDERR_FILENO) != 0 ? &std::cerr : nullptr;
  const auto command =
      kvbm::bench::wants_scheduler(argc, argv) ? &kvbm::bench::scheduler_command : &kvbm::bench::replay_command;
  return command(argc, argv, {std::cout, std::cerr, bar});
}
