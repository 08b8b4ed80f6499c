#pragma once

#include <dirent.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

namespace kvbm {

/// The names in a folder, in order; none if it cannot be read. (The standard library's iterator ends the program where
/// there is no memory.) Errors  std::bad_alloc.
[[nodiscard]] inline std::vector<std::string> names_in(const std::string& folder) {
  struct Close {
    void operator()(DIR* opened) const noexcept { ::closedir(opened); }
  };
  std::vector<std::string> names;
  const std::unique_ptr<DIR, Close> opened(::opendir(folder.c_str()));
  if (opened == nullptr) return names;
  while (const dirent* place = ::readdir(opened.get())) {  // NOLINT(concurrency-mt-unsafe): a stream of our own
    const std::string name = place->d_name;
    if (name != "." && name != "..") names.push_back(name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace kvbm
