// String instructions: MOVS, CMPS, SCAS, LODS, STOS, INS, OUTS with and without REP; XLAT.
//
// A REP instruction does a bounded number of elements a round, and commits each as it is done, so that a
// fault or an interrupt finds the registers where hardware would have them (SDM vol. 2B REP). A fault in CMPS
// or SCAS finds the flags that the last element left, as on AMD's CPUs; no program can depend on them, since
// the instruction is executed again.
#include <Zydis/Zydis.h>

#include "cpu-model/control_registers.h"
#include "cpu-model/eflags.h"
#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"
#include "cpu-model/interp/sse.h"
#include "cpu-model/interp/string_run.h"

namespace ringshift {

namespace {

// One string instruction under way.
struct StringOp {
  Cpu& cpu;
  const Instruction& insn;
  u32 mask;  // of addresses and of the count

  StringOp(Cpu& c, const Instruction& i) : cpu(c), insn(i), mask(i.address_size == 2 ? 0xffffu : ~0u) {}

  u32 get(Gpr reg) const { return cpu.state.reg32(reg) & mask; }
  void set(Gpr reg, u32 value) { cpu.state.set_reg32(reg, (cpu.state.reg32(reg) & ~mask) | (value & mask)); }
  bool backward() const { return (cpu.state.rflags & kFlagDf) != 0; }
  void advance(Gpr reg, u32 bytes) { set(reg, backward() ? get(reg) - bytes : get(reg) + bytes); }
  // From one element's host address to the next's.
  template <class T>
  std::ptrdiff_t step() const {
    constexpr std::ptrdiff_t kSize = sizeof(T);
    return backward() ? -kSize : kSize;
  }
  StringRun source(u32 size, u32 wanted) const {
    return plain_run(cpu, insn.segment, get(kEsi), size, wanted, mask, AccessKind::read, backward());
  }
  StringRun destination(u32 size, u32 wanted, AccessKind kind) const {
    return plain_run(cpu, Seg::es, get(kEdi), size, wanted, mask, kind, backward());
  }
};

// Each operation has permitted(), for its port; one(), which does an element with all checks; and fast(),
// which does some of `wanted` elements, or none (0). Those that compare give the last element's flags
// too.

template <class T>
struct Movs {
  static constexpr bool kCompares = false;
  static Outcome<> permitted(StringOp&) { return {}; }
  static Outcome<> one(StringOp& op, FlagsImage&) {
    const T value = RS_TRY(read_memory<T>(op.cpu, op.insn.segment, op.get(kEsi)));
    RS_TRY(write_memory<T>(op.cpu, Seg::es, op.get(kEdi), value));
    op.advance(kEsi, sizeof(T));
    op.advance(kEdi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp& op, u32 wanted, FlagsImage&) {
    const StringRun from = op.source(sizeof(T), wanted);
    if (from.elements == 0) return 0;
    const StringRun to = op.destination(sizeof(T), from.elements, AccessKind::write);
    if (to.elements == 0) return 0;
    op.backward() ? copy_elements_down<T>(to.host, from.host, to.elements)
                  : copy_elements<T>(to.host, from.host, to.elements);
    op.advance(kEsi, to.elements * sizeof(T));
    op.advance(kEdi, to.elements * sizeof(T));
    return to.elements;
  }
};

template <class T>
struct Stos {
  static constexpr bool kCompares = false;
  static Outcome<> permitted(StringOp&) { return {}; }
  static Outcome<> one(StringOp& op, FlagsImage&) {
    RS_TRY(write_memory<T>(op.cpu, Seg::es, op.get(kEdi), read_register<T>(op.cpu.state, kEax)));
    op.advance(kEdi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp& op, u32 wanted, FlagsImage&) {
    const StringRun to = op.destination(sizeof(T), wanted, AccessKind::write);
    if (to.elements == 0) return 0;
    u8* const lowest = op.backward() ? to.host - (to.elements - 1) * sizeof(T) : to.host;
    fill_elements<T>(lowest, read_register<T>(op.cpu.state, kEax), to.elements);
    op.advance(kEdi, to.elements * sizeof(T));
    return to.elements;
  }
};

template <class T>
struct Lods {
  static constexpr bool kCompares = false;
  static Outcome<> permitted(StringOp&) { return {}; }
  static Outcome<> one(StringOp& op, FlagsImage&) {
    const T value = RS_TRY(read_memory<T>(op.cpu, op.insn.segment, op.get(kEsi)));
    write_register<T>(op.cpu.state, kEax, value);
    op.advance(kEsi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp&, u32, FlagsImage&) { return 0; }
};

// Whether REPE (or REPNE) ends after an element that compared equal or not.
bool ends_repeat(const StringOp& op, bool equal) { return equal != op.insn.has_prefix(kPrefixRep); }

template <class T>
struct Cmps {
  static constexpr bool kCompares = true;
  static Outcome<> permitted(StringOp&) { return {}; }
  static Outcome<> one(StringOp& op, FlagsImage& flags) {
    const T left = RS_TRY(read_memory<T>(op.cpu, op.insn.segment, op.get(kEsi)));
    const T right = RS_TRY(read_memory<T>(op.cpu, Seg::es, op.get(kEdi)));
    alu_sub<T>(left, right, flags);
    op.advance(kEsi, sizeof(T));
    op.advance(kEdi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp& op, u32 wanted, FlagsImage& flags) {
    const StringRun left = op.source(sizeof(T), wanted);
    if (left.elements == 0) return 0;
    const StringRun right = op.destination(sizeof(T), left.elements, AccessKind::read);
    if (right.elements == 0) return 0;
    const std::ptrdiff_t step = op.step<T>();
    u32 done = 0;
    T a, b;
    do {
      a = load_element<T>(left.host + done * step);
      b = load_element<T>(right.host + done * step);
      ++done;
    } while (done < right.elements && !ends_repeat(op, a == b));
    alu_sub<T>(a, b, flags);
    op.advance(kEsi, done * sizeof(T));
    op.advance(kEdi, done * sizeof(T));
    return done;
  }
};

template <class T>
struct Scas {
  static constexpr bool kCompares = true;
  static Outcome<> permitted(StringOp&) { return {}; }
  static Outcome<> one(StringOp& op, FlagsImage& flags) {
    const T value = RS_TRY(read_memory<T>(op.cpu, Seg::es, op.get(kEdi)));
    alu_sub<T>(read_register<T>(op.cpu.state, kEax), value, flags);
    op.advance(kEdi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp& op, u32 wanted, FlagsImage& flags) {
    const StringRun from = op.destination(sizeof(T), wanted, AccessKind::read);
    if (from.elements == 0) return 0;
    const T sought = read_register<T>(op.cpu.state, kEax);
    const std::ptrdiff_t step = op.step<T>();
    u32 done = 0;
    T value;
    do {
      value = load_element<T>(from.host + done * step);
      ++done;
    } while (done < from.elements && !ends_repeat(op, value == sought));
    alu_sub<T>(sought, value, flags);
    op.advance(kEdi, done * sizeof(T));
    return done;
  }
};

// Asked before the count is looked at: a count of 0 does not excuse a port that is not allowed.
Outcome<> permitted_port(StringOp& op, unsigned size) {
  return check_port_permission(op.cpu, op.cpu.state.reg16(kEdx), size);
}
void note_io_breakpoints(Cpu& cpu, u16 port, unsigned size) {
  if (breakpoints_armed(cpu)) [[unlikely]]
    cpu.state.pending_dr6 |= match_io_breakpoints(cpu, port, size);
}

template <class T>
struct Ins {
  static constexpr bool kCompares = false;
  static Outcome<> permitted(StringOp& op) { return permitted_port(op, sizeof(T)); }
  static Outcome<> one(StringOp& op, FlagsImage&) {
    const u16 port = op.cpu.state.reg16(kEdx);
    // Before the port is read, which may consume its data.
    RS_TRY(probe_memory(op.cpu, Seg::es, op.get(kEdi), sizeof(T)));
    note_io_breakpoints(op.cpu, port, sizeof(T));
    const T value = static_cast<T>(op.cpu.io->port_in(port, sizeof(T)));
    RS_TRY(write_memory<T>(op.cpu, Seg::es, op.get(kEdi), value));
    op.advance(kEdi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp&, u32, FlagsImage&) { return 0; }
};

template <class T>
struct Outs {
  static constexpr bool kCompares = false;
  static Outcome<> permitted(StringOp& op) { return permitted_port(op, sizeof(T)); }
  static Outcome<> one(StringOp& op, FlagsImage&) {
    const u16 port = op.cpu.state.reg16(kEdx);
    const T value = RS_TRY(read_memory<T>(op.cpu, op.insn.segment, op.get(kEsi)));
    note_io_breakpoints(op.cpu, port, sizeof(T));
    op.cpu.io->port_out(port, sizeof(T), value);
    op.advance(kEsi, sizeof(T));
    return {};
  }
  static u32 fast(StringOp&, u32, FlagsImage&) { return 0; }
};

bool equal(FlagsImage flags) { return (flags_of_image(flags) & kFlagZf) != 0; }

template <class Operation>
Outcome<> repeated(StringOp& op) {
  Cpu& cpu = op.cpu;
  u32 count = op.get(kEcx);
  u32 budget = elements_per_round(cpu);
  FlagsImage flags = 0;
  while (count != 0) {
    u32 done = Operation::fast(op, std::min(count, budget), flags);
    if (done == 0) {
      RS_TRY(Operation::one(op, flags));
      done = 1;
    }
    count -= done;
    budget -= done;
    op.set(kEcx, count);
    if (Operation::kCompares) set_flags(cpu.state, flags);
    commit_progress(cpu);
    if (Operation::kCompares && ends_repeat(op, equal(flags))) break;
    // Events are looked at between rounds; a breakpoint that an element hit is reported after it.
    if (count != 0 && (budget == 0 || cpu.state.pending_dr6 != 0)) return repeat(cpu);
  }
  return {};
}

template <class Operation>
Outcome<> string_as(Cpu& cpu, const Instruction& insn) {
  StringOp op(cpu, insn);
  RS_TRY(Operation::permitted(op));
  if (insn.has_prefix(kPrefixRep) || insn.has_prefix(kPrefixRepne)) return repeated<Operation>(op);
  FlagsImage flags = 0;
  RS_TRY(Operation::one(op, flags));
  if (Operation::kCompares) set_flags(cpu.state, flags);
  return {};
}

template <template <class> class Operation>
Outcome<> string(Cpu& cpu, const Instruction& insn) {
  if ((insn.opcode & 1) == 0) return string_as<Operation<u8>>(cpu, insn);
  return insn.operand_size == 4 ? string_as<Operation<u32>>(cpu, insn) : string_as<Operation<u16>>(cpu, insn);
}

// Zydis gives SSE2's MOVSD and CMPSD the string instructions' mnemonics.
Outcome<> movsd(Cpu& cpu, const Instruction& insn) {
  return insn.map == OpcodeMap::one_byte ? string<Movs>(cpu, insn) : vector_instruction(cpu, insn);
}
Outcome<> cmpsd(Cpu& cpu, const Instruction& insn) {
  return insn.map == OpcodeMap::one_byte ? string<Cmps>(cpu, insn) : vector_instruction(cpu, insn);
}

Outcome<> xlat(Cpu& cpu, const Instruction& insn) {
  const StringOp op(cpu, insn);
  const u32 offset = (cpu.state.reg32(kEbx) + cpu.state.reg8(kEax)) & op.mask;
  cpu.state.set_reg8(kEax, RS_TRY(read_memory<u8>(cpu, insn.segment, offset)));
  return {};
}

}  // namespace

void register_strings(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_MOVSB, string<Movs>);
  table.set(ZYDIS_MNEMONIC_MOVSW, string<Movs>);
  table.set(ZYDIS_MNEMONIC_MOVSD, movsd);
  table.set(ZYDIS_MNEMONIC_CMPSB, string<Cmps>);
  table.set(ZYDIS_MNEMONIC_CMPSW, string<Cmps>);
  table.set(ZYDIS_MNEMONIC_CMPSD, cmpsd);
  table.set(ZYDIS_MNEMONIC_STOSB, string<Stos>);
  table.set(ZYDIS_MNEMONIC_STOSW, string<Stos>);
  table.set(ZYDIS_MNEMONIC_STOSD, string<Stos>);
  table.set(ZYDIS_MNEMONIC_LODSB, string<Lods>);
  table.set(ZYDIS_MNEMONIC_LODSW, string<Lods>);
  table.set(ZYDIS_MNEMONIC_LODSD, string<Lods>);
  table.set(ZYDIS_MNEMONIC_SCASB, string<Scas>);
  table.set(ZYDIS_MNEMONIC_SCASW, string<Scas>);
  table.set(ZYDIS_MNEMONIC_SCASD, string<Scas>);
  table.set(ZYDIS_MNEMONIC_INSB, string<Ins>);
  table.set(ZYDIS_MNEMONIC_INSW, string<Ins>);
  table.set(ZYDIS_MNEMONIC_INSD, string<Ins>);
  table.set(ZYDIS_MNEMONIC_OUTSB, string<Outs>);
  table.set(ZYDIS_MNEMONIC_OUTSW, string<Outs>);
  table.set(ZYDIS_MNEMONIC_OUTSD, string<Outs>);
  table.set(ZYDIS_MNEMONIC_XLAT, xlat);
}

}  // namespace ringshift
