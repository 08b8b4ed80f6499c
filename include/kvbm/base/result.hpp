#pragma once

#include <type_traits>
#include <utility>
#include <variant>

#include "kvbm/base/assert.hpp"

namespace kvbm {

/// Carries an error into a Result; made by fail().
template <class E>
struct Failure {
  E error;
};

template <class E>
[[nodiscard]] Failure<std::decay_t<E>> fail(E&& error) {
  return {std::forward<E>(error)};
}

/// Either a value or the reason there is none. A caller that can go on gets one of these, never an exception.
///
/// Errors  value() of a failure and error() of a success are bugs of the caller: they abort.
template <class T, class E>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}  // NOLINT: implicit on purpose
  template <class F>
  Result(Failure<F> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}  // NOLINT: implicit

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }

  [[nodiscard]] T& value() & { return *checked_value(); }
  [[nodiscard]] const T& value() const& { return *const_cast<Result*>(this)->checked_value(); }
  [[nodiscard]] T&& value() && { return std::move(*checked_value()); }
  [[nodiscard]] T& operator*() & { return value(); }
  [[nodiscard]] const T& operator*() const& { return value(); }
  [[nodiscard]] T&& operator*() && { return std::move(*this).value(); }
  [[nodiscard]] T* operator->() { return checked_value(); }
  [[nodiscard]] const T* operator->() const { return const_cast<Result*>(this)->checked_value(); }

  [[nodiscard]] E& error() & { return *checked_error(); }
  [[nodiscard]] const E& error() const& { return *const_cast<Result*>(this)->checked_error(); }
  [[nodiscard]] E&& error() && { return std::move(*checked_error()); }

 private:
  T* checked_value() {
    KVBM_ASSERT(state_.index() == 0, "value of a failed Result");
    return std::get_if<0>(&state_);
  }
  E* checked_error() {
    KVBM_ASSERT(state_.index() == 1, "error of a successful Result");
    return std::get_if<1>(&state_);
  }

  std::variant<T, E> state_;
};

/// Success without a value, or the reason it failed.
template <class E>
class [[nodiscard]] Result<void, E> {
 public:
  Result() = default;
  template <class F>
  Result(Failure<F> failure) : state_(std::in_place_index<1>, std::move(failure.error)) {}  // NOLINT: implicit

  [[nodiscard]] bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const E& error() const {
    KVBM_ASSERT(state_.index() == 1, "error of a successful Result");
    return *std::get_if<1>(&state_);
  }

 private:
  std::variant<std::monostate, E> state_;
};

/// A refused transition: why, and the guard itself, unchanged. Dropping it drops the guard.
template <class Guard, class E>
struct [[nodiscard]] Refused {
  E error;
  Guard block;
};

}  // namespace kvbm
