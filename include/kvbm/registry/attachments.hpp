#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <typeindex>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kvbm/base/mutex.hpp"
#include "kvbm/base/result.hpp"

namespace kvbm {

/// A type was attached one way and is asked to be attached the other way.
struct AttachmentError {
  enum class Code { TypeAlreadyRegisteredAsUnique, TypeAlreadyRegisteredAsMultiple };
  Code code;
  std::string type;

  [[nodiscard]] std::string text() const;
};

/// Objects that users hang on a registered hash, found by their C++ type: one of a type, or many, as the first attach
/// of that type decides. They die with the registration; a replaced one dies after the lock is released.
///
/// Threads  any; callbacks run under this object's mutex, so they must not touch attachments of the same registration.
///          They may call into a manager.
class Attachments {
 public:
  /// Stores the only value of its type, replacing an earlier one.
  template <class A>
  [[nodiscard]] Result<void, AttachmentError> attach_unique(A value) {
    std::optional<A> replaced(std::move(value));
    MutexLock lock(mutex_);
    Typed<A>& typed = of_type<A>();
    if (typed.mode == Mode::Multiple) return refuse<A>(AttachmentError::Code::TypeAlreadyRegisteredAsMultiple);
    typed.mode = Mode::Unique;
    std::swap(typed.unique, replaced);  // `replaced` outlives the lock
    return {};
  }

  /// Appends a value of its type.
  template <class A>
  [[nodiscard]] Result<void, AttachmentError> attach(A value) {
    MutexLock lock(mutex_);
    Typed<A>& typed = of_type<A>();
    if (typed.mode == Mode::Unique) return refuse<A>(AttachmentError::Code::TypeAlreadyRegisteredAsUnique);
    typed.values.push_back(std::move(value));
    typed.mode = Mode::Multiple;
    return {};
  }

  /// Calls f(A*, std::span<A>): the unique value or null, and the others in the order they were attached.
  /// At most one of the two parts is there.
  template <class A, class F>
  decltype(auto) with_all(F&& f) {
    MutexLock lock(mutex_);
    const auto found = types_.find(std::type_index(typeid(A)));
    if (found == types_.end()) return std::forward<F>(f)(static_cast<A*>(nullptr), std::span<A>());
    auto& typed = static_cast<Typed<A>&>(*found->second);
    return std::forward<F>(f)(typed.unique ? &*typed.unique : nullptr, std::span<A>(typed.values));
  }

 private:
  enum class Mode { Unset, Unique, Multiple };
  struct Any {
    virtual ~Any() = default;
  };
  template <class A>
  struct Typed : Any {
    Mode mode = Mode::Unset;
    std::optional<A> unique;
    std::vector<A> values;
  };

  template <class A>
  Typed<A>& of_type() KVBM_REQUIRES(mutex_) {
    const std::type_index type(typeid(A));
    auto found = types_.find(type);
    if (found == types_.end()) found = types_.emplace(type, std::make_unique<Typed<A>>()).first;
    return static_cast<Typed<A>&>(*found->second);
  }
  template <class A>
  static Failure<AttachmentError> refuse(AttachmentError::Code code) {
    return fail(AttachmentError{code, typeid(A).name()});
  }

  Mutex mutex_;
  std::unordered_map<std::type_index, std::unique_ptr<Any>> types_ KVBM_GUARDED_BY(mutex_);
};

}  // namespace kvbm
