// kvbm-pages: measures how pages move between device and host, beside plain copies; `--help` lists its options.

#include <iostream>

#include "bench/support/pages_command.hpp"

int main(int argc, char** argv) {
  return kvbm::bench::pages_command(argc, argv, {std::cout, std::cerr, "/proc/self/exe"});
}
