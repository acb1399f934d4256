// Random: a small, fast, reproducible generator (xorshift64*), so that a seed means the same everywhere.
#pragma once

#include "base/types.h"

namespace ringshift::differential {

class Random {
 public:
  explicit Random(u64 seed) : state_(mix(seed)) {}

  u64 next() {
    state_ ^= state_ >> 12;
    state_ ^= state_ << 25;
    state_ ^= state_ >> 27;
    return state_ * 0x2545f4914f6cdd1d;
  }
  u32 next32() { return static_cast<u32>(next() >> 32); }
  // Less than bound; bound > 0.
  u32 below(u32 bound) { return static_cast<u32>((u64{next32()} * bound) >> 32); }
  bool chance(u32 percent) { return below(100) < percent; }
  u8 byte() { return static_cast<u8>(next() >> 56); }
  template <class T, unsigned n>
  T pick(const T (&values)[n]) {
    return values[below(n)];
  }

 private:
  // splitmix64, so that neighbouring seeds have nothing in common.
  static u64 mix(u64 z) {
    z += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    z ^= z >> 31;
    return z == 0 ? 1 : z;
  }
  u64 state_;
};

}  // namespace ringshift::differential
