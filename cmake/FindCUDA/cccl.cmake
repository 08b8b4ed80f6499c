# kvbm::cccl: the headers of CUB, Thrust and libcu++ that come with the toolkit. nvcc finds them by itself, other
# compilers need the path.
find_path(KVBM_CCCL_INCLUDE_DIR cub/version.cuh HINTS ${CUDAToolkit_INCLUDE_DIRS} PATH_SUFFIXES cccl NO_DEFAULT_PATH)
mark_as_advanced(KVBM_CCCL_INCLUDE_DIR)
if(NOT KVBM_CCCL_INCLUDE_DIR)
  message(FATAL_ERROR "The CUDA toolkit in ${CUDAToolkit_INCLUDE_DIRS} has no CCCL headers (cub/version.cuh)")
endif()
add_library(kvbm::cccl INTERFACE IMPORTED)
target_include_directories(kvbm::cccl SYSTEM INTERFACE $<$<COMPILE_LANGUAGE:CXX>:${KVBM_CCCL_INCLUDE_DIR}>)
