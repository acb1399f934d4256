// Debug registers: MOV DR's rules, and what the armed breakpoints match (SDM vol. 3B 17.2).
#include "base/bits.h"
#include "cpu-model/control_registers.h"

namespace ringshift {

namespace {

constexpr u32 kDr6Bd = 1u << 13;
constexpr u32 kDr6Ones = 0xffff0ff0;
constexpr u32 kDr6Writable = 0x0000e00f;
constexpr u32 kDr7Gd = 1u << 13;
constexpr u32 kDr7Ones = 0x400;
constexpr u32 kDr7Writable = 0xffff23ff;

enum BreakpointType : u32 { kExecute = 0, kWrite = 1, kPort = 2, kReadWrite = 3 };

struct Breakpoint {
  bool enabled;
  u32 type;
  u32 address;  // aligned to its length
  u32 length;
};

Breakpoint breakpoint(const Cpu& cpu, unsigned i) {
  constexpr u8 kLengths[] = {1, 2, 8, 4};
  const u32 dr7 = static_cast<u32>(cpu.state.dr[7]);
  const u32 length = kLengths[bit_field(dr7, 18 + i * 4, 2)];
  const u32 address = static_cast<u32>(cpu.state.dr[i]) & ~(length - 1);
  return {bit_field(dr7, i * 2, 2) != 0, bit_field(dr7, 16 + i * 4, 2), address, length};
}

// Ranges on the 4 GiB circle.
bool overlap(u32 a, u32 a_size, u32 b, u32 b_size) { return b - a < a_size || a - b < b_size; }

bool type_matches(u32 type, AccessKind kind) {
  if (kind == AccessKind::fetch) return type == kExecute;
  return type == kReadWrite || (type == kWrite && kind == AccessKind::write);
}

// DR4 and DR5 stand for DR6 and DR7 unless CR4.DE is set; then they are #UD. With DR7.GD any access is #DB.
Outcome<unsigned> check_access(const Cpu& cpu, unsigned number) {
  if (number > 7) return raise(Fault::ud());
  if (number == 4 || number == 5) {
    if ((cpu.state.cr4 & kCr4De) != 0) return raise(Fault::ud());
    number += 2;
  }
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  if ((cpu.state.dr[7] & kDr7Gd) != 0) return raise(Fault::db(kDr6Bd));
  return number;
}

}  // namespace

u32 match_breakpoints(const Cpu& cpu, Gva gva, u32 size, AccessKind kind) {
  u32 bits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const Breakpoint b = breakpoint(cpu, i);
    if (!b.enabled || !type_matches(b.type, kind)) continue;
    // Of an instruction only the first byte counts.
    const bool hit =
        kind == AccessKind::fetch ? cpu.state.dr[i] == gva : overlap(b.address, b.length, gva, size);
    if (hit) bits |= 1u << i;
  }
  return bits;
}

u32 match_io_breakpoints(const Cpu& cpu, u16 port, u32 size) {
  if ((cpu.state.cr4 & kCr4De) == 0) return 0;
  u32 bits = 0;
  for (unsigned i = 0; i < 4; ++i) {
    const Breakpoint b = breakpoint(cpu, i);
    if (b.enabled && b.type == kPort && overlap(b.address, b.length, port, size)) bits |= 1u << i;
  }
  return bits;
}

Outcome<u32> read_debug_register(Cpu& cpu, unsigned number) {
  const unsigned which = RS_TRY(check_access(cpu, number));
  return static_cast<u32>(cpu.state.dr[which]);
}

Outcome<> write_debug_register(Cpu& cpu, unsigned number, u32 value) {
  const unsigned which = RS_TRY(check_access(cpu, number));
  if (which == 6) {
    cpu.state.dr[6] = (value & kDr6Writable) | kDr6Ones;
    return {};
  }
  const bool was_armed = breakpoints_armed(cpu);
  cpu.state.dr[which] = which == 7 ? (value & kDr7Writable) | kDr7Ones : value;
  // Pages with watched bytes have no fast path, so that what is cached of them must go (memory_access.cpp).
  if (was_armed || breakpoints_armed(cpu)) cpu.flush_all();
  return {};
}

}  // namespace ringshift
