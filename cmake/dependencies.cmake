# Packages kvbm needs. All that are missing are named at once, each with the Debian package that holds it.
set(KVBM_MISSING "")

# kvbm_require(<package> <Debian package> [find_package arguments])
macro(kvbm_require package debian)
  find_package(${package} ${ARGN} QUIET)
  if(NOT ${package}_FOUND)
    list(APPEND KVBM_MISSING "${package} (Debian: ${debian})")
  endif()
endmacro()

set(THREADS_PREFER_PTHREAD_FLAG ON)
kvbm_require(Threads libc6-dev)

# xxHash is compiled into the library from its header, so nothing that links kvbm needs it.
find_path(KVBM_XXHASH_INCLUDE_DIR xxhash.h)
mark_as_advanced(KVBM_XXHASH_INCLUDE_DIR)
if(NOT KVBM_XXHASH_INCLUDE_DIR)
  list(APPEND KVBM_MISSING "xxHash (Debian: libxxhash-dev)")
endif()

if(KVBM_TESTS)
  kvbm_require(GTest libgtest-dev)
endif()
if(KVBM_BENCH)
  kvbm_require(benchmark libbenchmark-dev CONFIG)
endif()
if(KVBM_TESTS OR KVBM_BENCH)  # the programs
  kvbm_require(fmt libfmt-dev CONFIG)
  kvbm_require(CLI11 libcli11-dev CONFIG)
  kvbm_require(simdjson libsimdjson-dev CONFIG)
  kvbm_require(nlohmann_json nlohmann-json3-dev CONFIG)
endif()
if(KVBM_CLANG_TIDY)
  find_program(KVBM_CLANG_TIDY_PROGRAM clang-tidy)
  if(NOT KVBM_CLANG_TIDY_PROGRAM)
    list(APPEND KVBM_MISSING "clang-tidy (Debian: clang-tidy)")
  endif()
endif()

if(KVBM_MISSING)
  list(JOIN KVBM_MISSING "\n  " KVBM_MISSING_LINES)
  message(FATAL_ERROR "kvbm misses these packages:\n  ${KVBM_MISSING_LINES}\n"
    "`tests/run --setup` installs them on Debian; -DKVBM_TESTS=OFF -DKVBM_BENCH=OFF builds the library alone.")
endif()
