// The flat user-level environment that every runner offers: the same arenas at the same linear addresses.
//
// Everything else below 4 GiB is unmapped, so that a stray access faults the same everywhere.
#pragma once

#include <array>
#include <span>
#include <string>

#include "base/types.h"

namespace ringshift::differential {

struct Arena {
  const char* name;
  u32 base;
  u32 pages;
  bool writable;
  bool executable;
  constexpr u32 size() const { return pages * kPageSize; }
};

enum ArenaIndex : unsigned { kCode, kData, kReadOnly, kStack, kLow, kArenaCount };

// The low arena is what 16-bit addresses reach; a host whose mmap_min_addr is above it goes without.
inline constexpr std::array<Arena, kArenaCount> kArenas = {{
    {"code", 0x10000000, 2, false, true},
    {"data", 0x20000000, 4, true, false},
    {"read-only", 0x20004000, 1, false, false},
    {"stack", 0x30000000, 2, true, false},
    {"low", 0x00008000, 2, true, false},
}};

// Where an engine has its system pages, for the supervisor only: where no arithmetic on edge values leads. A
// user access there has another error code than on the host.
inline constexpr u32 kSystemLinear = 0x7a3c4000;
inline constexpr u32 kSystemPages = 5;

// As 64-bit Linux's GDT has them, so that MOV from a segment register gives the same.
inline constexpr u16 kUserCs = 0x23;
inline constexpr u16 kUserDs = 0x2b;

struct UserState {
  alignas(16) std::array<u8, 512> fx{};  // FXSAVE, 32-bit layout
  std::array<u32, 8> gpr{};
  u32 eip = 0;
  u32 eflags = 0x202;
  u16 cs = kUserCs;
  u16 ss = kUserDs;
  u16 ds = kUserDs;
  u16 es = kUserDs;
};

// How the code came out: always an exception, HLT's #GP(0) at the end if nothing came before it.
struct Stop {
  u32 vector = 0;
  u32 error = 0;    // where the vector has an error code
  u32 address = 0;  // page faults only
};

// Stop::vector of code that went round for ever, where a runner can tell.
inline constexpr u32 kEndless = 0x3000;

struct RunResult {
  UserState state;
  Stop stop;
};

// Runs user-level code; memory persists between runs until written.
class Runner {
 public:
  virtual ~Runner() = default;
  virtual void write(u32 address, std::span<const u8> bytes) = 0;
  virtual const u8* arena(ArenaIndex index) const = 0;
  virtual RunResult run(const UserState& state) = 0;
};

inline bool has_error_code(u32 vector) {
  return vector == 8 || (vector >= 10 && vector <= 14) || vector == 17;
}

}  // namespace ringshift::differential
