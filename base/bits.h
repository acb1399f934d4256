// Bit tests and extractions used everywhere.
#pragma once

#include <type_traits>

#include "base/types.h"

namespace ringshift {

template <class T>
constexpr bool has_bit(T value, unsigned bit) {
  return ((value >> bit) & 1) != 0;
}

// Bits [low, low + count) of value.
template <class T>
constexpr T bit_field(T value, unsigned low, unsigned count) {
  return static_cast<T>((value >> low) & ((static_cast<T>(1) << count) - 1));
}

template <class T>
constexpr T align_down(T value, std::type_identity_t<T> alignment) {
  return value & ~(alignment - 1);
}

template <class T>
constexpr T align_up(T value, std::type_identity_t<T> alignment) {
  return (value + alignment - 1) & ~(alignment - 1);
}

}  // namespace ringshift
