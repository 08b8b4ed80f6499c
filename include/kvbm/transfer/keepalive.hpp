#pragma once

#include <cstddef>
#include <memory>
#include <new>
#include <type_traits>
#include <utility>

namespace kvbm {

/// Holds something alive without knowing what: the guards of the pages a transfer reads and writes. Moves only.
///
/// Cost  no allocation: what it holds lies inside and must fit kBytes (three BlockRuns and a little more).
class Keepalive {
 public:
  static constexpr std::size_t kBytes = 128;

  Keepalive() noexcept = default;
  template <class Held>
  requires(!std::is_same_v<std::remove_cvref_t<Held>, Keepalive>)
      // NOLINTNEXTLINE(bugprone-forwarding-reference-overload): see above
      explicit Keepalive(Held&& held) {
    using Stored = std::remove_cvref_t<Held>;
    static_assert(sizeof(Stored) <= kBytes);
    static_assert(alignof(Stored) <= alignof(std::max_align_t));
    static_assert(std::is_nothrow_move_constructible_v<Stored>);
    ::new (static_cast<void*>(storage_)) Stored(std::forward<Held>(held));
    operations_ = &kOperations<Stored>;
  }
  Keepalive(Keepalive&& other) noexcept { take(other); }
  Keepalive& operator=(Keepalive&& other) noexcept {
    if (this != &other) {
      drop();
      take(other);
    }
    return *this;
  }
  ~Keepalive() { drop(); }

  [[nodiscard]] bool empty() const noexcept { return operations_ == nullptr; }
  /// What is held, if it is of that type; else null.
  template <class Held>
  [[nodiscard]] Held* get() noexcept {
    return operations_ == &kOperations<Held> ? std::launder(reinterpret_cast<Held*>(storage_)) : nullptr;
  }

 private:
  struct Operations {
    void (*move)(void* target, void* source) noexcept;  // and destroys the source
    void (*destroy)(void* held) noexcept;
  };
  template <class Held>
  static constexpr Operations kOperations{[](void* target, void* source) noexcept {
                                            Held* from = std::launder(static_cast<Held*>(source));
                                            ::new (target) Held(std::move(*from));
                                            from->~Held();
                                          },
                                          [](void* held) noexcept { std::launder(static_cast<Held*>(held))->~Held(); }};

  void take(Keepalive& other) noexcept {
    operations_ = std::exchange(other.operations_, nullptr);
    if (operations_ != nullptr) operations_->move(storage_, other.storage_);
  }
  void drop() noexcept {
    if (const Operations* operations = std::exchange(operations_, nullptr)) operations->destroy(storage_);
  }

  const Operations* operations_ = nullptr;
  alignas(std::max_align_t) std::byte storage_[kBytes];
};

}  // namespace kvbm
