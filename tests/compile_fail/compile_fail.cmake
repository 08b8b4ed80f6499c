# Compiles FILE without a case, then under each of its cases. See CMakeLists.txt beside this file.

function(compile case result_variable output_variable)
  execute_process(
    COMMAND ${COMPILER} -std=c++20 -fsyntax-only -Wall -Wextra -Werror -I${INCLUDE} -DKVBM_CASE=${case} ${FILE}
    RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  set(${result_variable} ${result} PARENT_SCOPE)
  set(${output_variable} "${output}" PARENT_SCOPE)
endfunction()

compile(0 result output)
if(NOT result EQUAL 0)
  message(FATAL_ERROR "${FILE} does not compile without a case:\n${output}")
endif()

file(STRINGS ${FILE} cases REGEX "^#(el)?if KVBM_CASE == ")
if(NOT cases)
  message(FATAL_ERROR "${FILE} has no cases")
endif()
foreach(line IN LISTS cases)
  if(NOT line MATCHES "^#(el)?if KVBM_CASE == ([0-9]+) +// fails: (.+)$")
    message(FATAL_ERROR "${FILE}: a case without the message it expects: ${line}")
  endif()
  set(case ${CMAKE_MATCH_2})
  set(expected "${CMAKE_MATCH_3}")
  compile(${case} result output)
  if(result EQUAL 0)
    message(FATAL_ERROR "${FILE}: case ${case} compiles")
  endif()
  if(NOT output MATCHES "${expected}")
    message(FATAL_ERROR "${FILE}: case ${case} fails without saying \"${expected}\":\n${output}")
  endif()
endforeach()
