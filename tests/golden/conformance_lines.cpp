#include "tests/golden/conformance_lines.hpp"

#include <streambuf>

#include "tests/golden/conformance_json.hpp"

namespace kvbm::conformance {

bool LineReader::next(std::string& line) {
  using Traits = std::streambuf::traits_type;
  line.clear();
  std::streambuf& bytes = *input_.rdbuf();
  Traits::int_type byte = bytes.sbumpc();
  if (byte == Traits::eof()) return false;
  ++number_;
  for (; byte != Traits::eof() && byte != '\n'; byte = bytes.sbumpc()) {
    if (line.size() == kLongest) refuse("the line is too long");
    line.push_back(Traits::to_char_type(byte));
  }
  return true;
}

}  // namespace kvbm::conformance
