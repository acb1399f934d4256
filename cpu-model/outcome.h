// Outcome<T>: what an operation of the guest gives: a value, or the Fault that it raises.
//
// As tl::expected, but made of whole words, so that it is returned in registers. tl::expected is written by
// parts into memory and read back by words, which the CPU can't forward from store to load: that cost 15 ns
// for each call, and a guest's INT and IRET make dozens of them.
#pragma once

#include <bit>
#include <tl/expected.hpp>
#include <type_traits>
#include <utility>

#include "base/check.h"
#include "base/result.h"
#include "cpu-model/fault.h"

namespace ringshift {

// A Fault in a word; 0 for none. Adding 1 to a Fault's word carries nowhere: vectors are below 255.
class FaultWord {
 public:
  constexpr FaultWord() = default;
  FaultWord(const Fault& fault) : bits_(std::bit_cast<u64>(fault) + 1) {}
  bool raised() const { return bits_ != 0; }
  Fault fault() const { return std::bit_cast<Fault>(bits_ - 1); }

 private:
  u64 bits_ = 0;
};

template <class T = void>
class [[nodiscard]] Outcome {
 public:
  template <class U = T>
  requires(std::is_convertible_v<U&&, T> && !std::is_same_v<std::remove_cvref_t<U>, Outcome>)
      Outcome(U&& value)
      : value_(std::forward<U>(value)) {}
  Outcome(const tl::unexpected<Fault>& raised) : fault_(raised.value()) {}

  bool has_value() const { return !fault_.raised(); }
  explicit operator bool() const { return has_value(); }
  T& operator*() & { return value_; }
  const T& operator*() const& { return value_; }
  T&& operator*() && { return std::move(value_); }
  T* operator->() { return &value_; }
  const T* operator->() const { return &value_; }
  // For callers that know there is one.
  const T& value() const {
    RS_CHECK(has_value());
    return value_;
  }
  T value_or(T otherwise) const { return has_value() ? value_ : std::move(otherwise); }
  Fault error() const { return fault_.fault(); }

 private:
  FaultWord fault_;
  T value_;
};

template <>
class [[nodiscard]] Outcome<void> {
 public:
  Outcome() = default;
  Outcome(const tl::unexpected<Fault>& raised) : fault_(raised.value()) {}

  bool has_value() const { return !fault_.raised(); }
  explicit operator bool() const { return has_value(); }
  Fault error() const { return fault_.fault(); }

 private:
  FaultWord fault_;
};

inline tl::unexpected<Fault> raise(Fault fault) { return tl::unexpected<Fault>(fault); }

}  // namespace ringshift

namespace ringshift::detail {
template <class T>
T take(Outcome<T>&& outcome) {
  if constexpr (!std::is_void_v<T>) return *std::move(outcome);
}
}  // namespace ringshift::detail
