# Finds the CUDA toolkit, CCCL and NVTX, or says cleanly that there is none. Included by path: a file named
# FindCUDA.cmake on the module path would shadow the module that dependencies may ask for.
#
# Sets KVBM_HAS_CUDA. With it come the language CUDA, CUDA::cudart_static, kvbm::cccl and kvbm::nvtx (empty if KVBM_NVTX
# is off) and kvbm_cuda_settings(<target>).
set(KVBM_TEST_CUDA_ARCHITECTURES "" CACHE STRING "What tests and benchmarks have of device code; empty: as the library")
mark_as_advanced(KVBM_TEST_CUDA_ARCHITECTURES)
set(KVBM_HAS_CUDA FALSE)
set(KVBM_HAS_NVTX FALSE)
if(KVBM_CUDA STREQUAL "OFF")
  message(STATUS "kvbm: device code off (KVBM_CUDA=OFF)")
  return()
endif()

# Three generations as machine code and the youngest as PTX for those to come. `native` would fail without a GPU.
if(NOT DEFINED CMAKE_CUDA_ARCHITECTURES)
  set(CMAKE_CUDA_ARCHITECTURES 80-real 90-real 100-real 100-virtual)
endif()
if(NOT DEFINED CMAKE_CUDA_COMPILER AND NOT DEFINED ENV{CUDACXX})
  find_program(KVBM_NVCC nvcc PATHS $ENV{CUDA_HOME}/bin $ENV{CUDA_PATH}/bin /usr/local/cuda/bin)
  mark_as_advanced(KVBM_NVCC)
  if(KVBM_NVCC)
    set(ENV{CUDACXX} ${KVBM_NVCC})  # check_language tries it out, and would take a set CMAKE_CUDA_COMPILER on trust
  endif()
endif()
include(CheckLanguage)
check_language(CUDA)
if(NOT CMAKE_CUDA_COMPILER)
  if(KVBM_CUDA STREQUAL "AUTO")
    message(STATUS "kvbm: device code off (no working CUDA compiler)")
    return()
  endif()
  message(FATAL_ERROR "KVBM_CUDA=${KVBM_CUDA}, but no working CUDA compiler was found. "
    "Put nvcc on the PATH, set CMAKE_CUDA_COMPILER, or configure with -DKVBM_CUDA=OFF.")
endif()

set(CMAKE_CUDA_RUNTIME_LIBRARY Static)
enable_language(CUDA)
find_package(CUDAToolkit REQUIRED)
if(CUDAToolkit_VERSION VERSION_LESS 12.0)
  if(KVBM_CUDA STREQUAL "AUTO")
    message(STATUS "kvbm: device code off (CUDA ${CUDAToolkit_VERSION} is older than 12.0)")
    return()
  endif()
  message(FATAL_ERROR "kvbm needs CUDA 12.0 for C++20, found ${CUDAToolkit_VERSION}")
endif()
# CMake 3.25 does not know that nvcc speaks C++20.
if(NOT DEFINED CMAKE_CUDA20_STANDARD_COMPILE_OPTION)
  set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
  set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)
endif()
set(KVBM_HAS_CUDA TRUE)

include(${CMAKE_CURRENT_LIST_DIR}/cccl.cmake)
include(${CMAKE_CURRENT_LIST_DIR}/nvtx.cmake)

function(kvbm_cuda_settings target)
  set_target_properties(${target} PROPERTIES
    CUDA_STANDARD 20 CUDA_STANDARD_REQUIRED ON CUDA_EXTENSIONS OFF CUDA_RUNTIME_LIBRARY Static)
  if(KVBM_TEST_CUDA_ARCHITECTURES AND NOT target STREQUAL "kvbm_device")
    set_target_properties(${target} PROPERTIES CUDA_ARCHITECTURES "${KVBM_TEST_CUDA_ARCHITECTURES}")
  endif()
  target_link_libraries(${target} PRIVATE CUDA::cudart_static
    $<BUILD_INTERFACE:kvbm::cccl> $<BUILD_INTERFACE:kvbm::nvtx>)
endfunction()

message(STATUS "kvbm: device code on (CUDA ${CUDAToolkit_VERSION}, architectures ${CMAKE_CUDA_ARCHITECTURES})")
