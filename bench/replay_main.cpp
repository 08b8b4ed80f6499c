// kvbm-replay: replays a recorded trace over eviction policies and cache sizes; `--help` lists its options.

#include <unistd.h>

#include <iostream>

#include "bench/support/replay_command.hpp"

int main(int argc, char** argv) {
  std::ostream* const bar = ::isatty(STDERR_FILENO) != 0 ? &std::cerr : nullptr;
  return kvbm::bench::replay_command(argc, argv, {std::cout, std::cerr, bar});
}
