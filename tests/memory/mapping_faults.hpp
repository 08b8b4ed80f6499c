#pragma once

namespace kvbm::test {

/// What the system says to those who map memory while this lives; otherwise it answers for itself.
///
/// Threads  affects all threads; made and gone while no other one maps.
class MappingFault {
 public:
  enum class Kind {
    NoMemory,     ///< no mapping of ordinary pages is to be had
    NoHugePages,  ///< nor one of huge pages, whatever sysfs says
    HugePages,    ///< huge pages are to be had, as many as are asked for; they are made of ordinary ones
    NoPopulate,   ///< a kernel before 5.14, which cannot put pages behind a mapping on request
  };
  explicit MappingFault(Kind kind) noexcept;
  ~MappingFault();
  MappingFault(const MappingFault&) = delete;
  MappingFault& operator=(const MappingFault&) = delete;
};

}  // namespace kvbm::test
