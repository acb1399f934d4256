// Random contents: edges of integers, and floats of every class.
#include "tests/differential/random_values.h"

#include <cstring>
#include <vector>

#include "tests/differential/generator.h"

namespace ringshift::differential {

namespace {

constexpr u32 kIntegers[] = {0,          1,          2,          3,     7,      8,      31,     32,
                             0x7f,       0x80,       0xff,       0x100, 0x7fff, 0x8000, 0xffff, 0x10000,
                             0x7fffffff, 0x80000000, 0x80000001, ~0u,   ~1u,    0x0f0f, 0x9999, 0x55555555};
constexpr u32 kFloats[] = {0x00000000, 0x80000000, 0x3f800000, 0xbf800000, 0x7f800000, 0xff800000,
                           0x7fc00000, 0x7fa00000, 0xffc00001, 0x00000001, 0x807fffff, 0x7f7fffff,
                           0x40490fdb, 0x4f000000, 0xcf000000, 0x4effffff, 0x3f000000, 0xbfc00000};
constexpr u64 kDoubles[] = {0,
                            u64{1} << 63,
                            0x3ff0000000000000,
                            0xbff0000000000000,
                            0x7ff0000000000000,
                            0xfff0000000000000,
                            0x7ff8000000000000,
                            0x7ff4000000000000,
                            0x0000000000000001,
                            0x800fffffffffffff,
                            0x7fefffffffffffff,
                            0x400921fb54442d18,
                            0x41e0000000000000,
                            0xc1e0000000200000,
                            0x41dfffffffc00000,
                            0x3fe0000000000000};

u64 random_u64(Random& random) {
  switch (random.below(6)) {
    case 0:
      return random.pick(kDoubles);
    case 1:
      return u64{random.pick(kFloats)} << 32 | random.pick(kFloats);
    case 2:
      return u64{random_u32(random)} << 32 | random_u32(random);
    case 3:  // an ordinary double
      return (random.next() & 0x800fffffffffffff) | u64{1023u - 20 + random.below(40)} << 52;
    case 4:  // ordinary floats
      return (random.next() & 0x807fffff807fffff) | u64{127u - 10 + random.below(20)} << 23 |
             u64{127u - 10 + random.below(20)} << 55;
    default:
      return random.next();
  }
}

// An 80-bit value: ordinary, special, or one of the encodings that no longer are numbers.
void random_extended(Random& random, u8* out) {
  u64 significand = random.next() | u64{1} << 63;
  u16 exponent = static_cast<u16>(16383 - 40 + random.below(80));
  switch (random.below(10)) {
    case 0:
      significand = 0;
      exponent = 0;
      break;
    case 1:
      significand = u64{1} << 63;
      exponent = 0x7fff;
      break;
    case 2:
      exponent = 0x7fff;
      break;
    case 3:
      significand = random.next() >> 1;
      exponent = 0;
      break;
    case 4:
      exponent = static_cast<u16>(random.next32() & 0x7fff);
      break;
    case 5:  // unnormal, pseudo-infinity and the like
      significand = random.next();
      exponent = static_cast<u16>(random.next32() & 0x7fff);
      break;
    case 6:
      significand = u64{1} << 63;
      exponent = static_cast<u16>(16383 + random.below(4));
      break;
    default:
      break;
  }
  if (random.chance(50)) exponent |= 0x8000;
  std::memcpy(out, &significand, 8);
  std::memcpy(out + 8, &exponent, 2);
}

}  // namespace

u32 random_u32(Random& random) {
  switch (random.below(4)) {
    case 0:
      return random.pick(kIntegers);
    case 1:
      return random.below(256);
    default:
      return random.next32();
  }
}

u32 random_mxcsr(Random& random) {
  u32 mxcsr = 0x1f80;
  if (random.chance(50)) mxcsr |= random.below(4) << 13;
  if (random.chance(15)) mxcsr |= 0x8000;
  if (random.chance(15)) mxcsr |= 0x0040;
  if (random.chance(20)) mxcsr |= random.below(64);
  if (random.chance(10)) mxcsr &= ~(random.below(64) << 7);
  return mxcsr;
}

u32 random_fcw(Random& random) {
  u32 fcw = 0x37f;
  if (random.chance(40)) fcw = (fcw & ~0xc00u) | random.below(4) << 10;
  if (random.chance(30)) fcw = (fcw & ~0x300u) | random.below(4) << 8;
  if (random.chance(12)) fcw &= ~random.below(64);
  return fcw;
}

void random_registers(Random& random, UserState& state, bool low_arena) {
  for (u32& reg : state.gpr) reg = random_u32(random);
  if (random.chance(50)) state.gpr[1] = random.below(40);
  for (const unsigned r : {3u, 5u, 6u, 7u}) {
    state.gpr[r] = kArenas[kData].base + 256 + random.below(kArenas[kData].size() - 512);
    if (random.chance(70)) state.gpr[r] &= ~15u;
    if (random.chance(4)) state.gpr[r] = kArenas[kData].base + kPageSize - random.below(8);
    if (low_arena && random.chance(6)) state.gpr[r] = kArenas[kLow].base + random.below(kArenas[kLow].size());
  }
  state.gpr[4] = kArenas[kStack].base + 0x800 + random.below(0x1000);
  if (random.chance(85)) state.gpr[4] &= ~3u;
  if (random.chance(3)) state.gpr[4] = kArenas[kStack].base + random.below(24);
  if (random.chance(3)) state.gpr[4] = kArenas[kStack].base + kArenas[kStack].size() - random.below(24);
  state.eflags = 0x202 | (random.next32() & 0x8d5);
  if (random.chance(15)) state.eflags |= 0x400;
  if (random.chance(1)) state.eflags |= 0x40000;
  if (random.chance(2)) state.eflags |= 0x100;
}

void random_fx(Random& random, std::array<u8, 512>& fx) {
  fx.fill(0);
  const u32 fcw = random_fcw(random);
  u32 fsw = random.next32() & 0x7f00 & (random.chance(60) ? ~0x3800u : ~0u);
  if (random.chance(10)) fsw |= random.below(128);
  if (random.chance(97)) fsw &= ~(~fcw & 0x3f);
  if ((fsw & ~fcw & 0x3f) != 0) fsw |= 0x8080;
  u8 tags = random.byte();  // a 1: the register isn't empty
  if (random.chance(25)) tags = 0;
  if (random.chance(25)) tags = 0xff;
  fx[0] = static_cast<u8>(fcw);
  fx[1] = static_cast<u8>(fcw >> 8);
  fx[2] = static_cast<u8>(fsw);
  fx[3] = static_cast<u8>(fsw >> 8);
  fx[4] = tags;
  const u32 mxcsr = random_mxcsr(random);
  std::memcpy(fx.data() + 24, &mxcsr, 4);
  for (unsigned i = 0; i < 8; ++i) random_extended(random, fx.data() + 32 + 16 * i);
  for (unsigned i = 0; i < 16; ++i) {
    const u64 value = random_u64(random);
    std::memcpy(fx.data() + 160 + 8 * i, &value, 8);
  }
}

void fill_memory(u64 memory_seed, unsigned arena, std::vector<u8>& bytes) {
  Random random(memory_seed * 8 + arena);
  bytes.resize(kArenas[arena].size());
  for (std::size_t i = 0; i < bytes.size(); i += 8) {
    u64 value = random_u64(random);
    if (random.chance(15)) value = kArenas[kData].base + random.below(kArenas[kData].size());
    std::memcpy(bytes.data() + i, &value, 8);
  }
}

}  // namespace ringshift::differential
