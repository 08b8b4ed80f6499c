# Fails unless README holds EXAMPLE as a fenced C++ block, character for character.
file(READ ${EXAMPLE} example)
file(READ ${README} readme)
string(FIND "${readme}" "```cpp\n${example}```\n" place)
if(place EQUAL -1)
  message(FATAL_ERROR "${README} does not hold ${EXAMPLE} as it is")
endif()
