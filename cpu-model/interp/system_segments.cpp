// Segment registers and descriptors: LDS .. LGS, LLDT, LTR, SLDT, STR, LAR, LSL, VERR, VERW, ARPL.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/alu.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"

namespace ringshift {

namespace {

// LSS doesn't block interrupts: it loads both halves of the stack pointer (SDM vol. 3A 6.8.3).
template <Seg kSegment>
Outcome<> load_far_pointer(Cpu& cpu, const Instruction& insn) {
  const u32 offset = insn.operand_size == 2 ? u32{RS_TRY(read_memory_operand<u16>(cpu, insn))}
                                            : RS_TRY(read_memory_operand<u32>(cpu, insn));
  const u16 selector = RS_TRY(read_memory_operand<u16>(cpu, insn, insn.operand_size));
  RS_TRY(load_segment(cpu, kSegment, selector));
  const unsigned reg = insn.operands[0].reg & 7;
  if (insn.operand_size == 2)
    cpu.state.set_reg16(reg, static_cast<u16>(offset));
  else
    cpu.state.set_reg32(reg, offset);
  return {};
}

// Not recognized in real-address and v8086 mode.
Outcome<> need_protected_mode(const Cpu& cpu) {
  if (cpu.real_segments()) return raise(Fault::ud());
  return {};
}

Outcome<> load_system_segment(Cpu& cpu, const Instruction& insn, Outcome<> (*load)(Cpu&, u16)) {
  RS_TRY(need_protected_mode(cpu));
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  const u16 selector = RS_TRY(read_operand<u16>(cpu, insn, 0));
  return load(cpu, selector);
}
Outcome<> lldt(Cpu& cpu, const Instruction& insn) { return load_system_segment(cpu, insn, load_ldtr); }
Outcome<> ltr(Cpu& cpu, const Instruction& insn) { return load_system_segment(cpu, insn, load_tr); }

// To memory 16 bits whatever the operand size; to a 32-bit register zero-extended.
Outcome<> store_selector(Cpu& cpu, const Instruction& insn, u16 selector) {
  RS_TRY(need_protected_mode(cpu));
  if (is_memory(insn, 0)) return write_memory_operand<u16>(cpu, insn, selector);
  if (insn.operand_size == 2) return write_operand<u16>(cpu, insn, 0, selector);
  return write_operand<u32>(cpu, insn, 0, selector);
}
Outcome<> sldt(Cpu& cpu, const Instruction& insn) {
  return store_selector(cpu, insn, cpu.state.ldtr.selector);
}
Outcome<> str(Cpu& cpu, const Instruction& insn) { return store_selector(cpu, insn, cpu.state.tr.selector); }

// LAR and LSL: ZF says whether the selector passed; only then is the destination written.
Outcome<> load_descriptor_field(Cpu& cpu, const Instruction& insn, Outcome<bool> (*load)(Cpu&, u16, u32*)) {
  RS_TRY(need_protected_mode(cpu));
  const u16 selector = RS_TRY(read_operand<u16>(cpu, insn, 1));
  u32 value = 0;
  const bool passed = RS_TRY(load(cpu, selector, &value));
  set_flag(cpu.state, kFlagZf, passed);
  if (!passed) return {};
  if (insn.operand_size == 2) return write_operand<u16>(cpu, insn, 0, static_cast<u16>(value));
  return write_operand<u32>(cpu, insn, 0, value);
}
Outcome<> lar(Cpu& cpu, const Instruction& insn) {
  return load_descriptor_field(cpu, insn, load_access_rights);
}
Outcome<> lsl(Cpu& cpu, const Instruction& insn) {
  return load_descriptor_field(cpu, insn, load_segment_limit);
}

template <bool kWrite>
Outcome<> verify(Cpu& cpu, const Instruction& insn) {
  RS_TRY(need_protected_mode(cpu));
  const u16 selector = RS_TRY(read_operand<u16>(cpu, insn, 0));
  const bool passed = RS_TRY(verify_segment(cpu, selector, kWrite));
  set_flag(cpu.state, kFlagZf, passed);
  return {};
}

Outcome<> arpl(Cpu& cpu, const Instruction& insn) {
  RS_TRY(need_protected_mode(cpu));
  const u16 source = cpu.state.reg16(insn.operands[1].reg & 7);
  const u16 selector = RS_TRY(read_operand<u16>(cpu, insn, 0));
  const bool lower = (selector & 3) < (source & 3);
  // The destination is written only if RPL rises: a read-only one then faults only in that case.
  if (lower) RS_TRY(write_operand<u16>(cpu, insn, 0, static_cast<u16>((selector & ~3) | (source & 3))));
  set_flag(cpu.state, kFlagZf, lower);
  return {};
}

}  // namespace

void register_segments(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_LDS, load_far_pointer<Seg::ds>);
  table.set(ZYDIS_MNEMONIC_LES, load_far_pointer<Seg::es>);
  table.set(ZYDIS_MNEMONIC_LFS, load_far_pointer<Seg::fs>);
  table.set(ZYDIS_MNEMONIC_LGS, load_far_pointer<Seg::gs>);
  table.set(ZYDIS_MNEMONIC_LSS, load_far_pointer<Seg::ss>);
  table.set(ZYDIS_MNEMONIC_LLDT, lldt);
  table.set(ZYDIS_MNEMONIC_LTR, ltr);
  table.set(ZYDIS_MNEMONIC_SLDT, sldt);
  table.set(ZYDIS_MNEMONIC_STR, str);
  table.set(ZYDIS_MNEMONIC_LAR, lar);
  table.set(ZYDIS_MNEMONIC_LSL, lsl);
  table.set(ZYDIS_MNEMONIC_VERR, verify<false>);
  table.set(ZYDIS_MNEMONIC_VERW, verify<true>);
  table.set(ZYDIS_MNEMONIC_ARPL, arpl);
}

}  // namespace ringshift
