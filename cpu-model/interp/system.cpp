// System instructions: LGDT .. SIDT, LMSW, SMSW, CLTS, INVLPG, INVD, HLT, CPUID, RDMSR, WRMSR, RDTSC.
#include <Zydis/Zydis.h>

#include "cpu-model/control_registers.h"
#include "cpu-model/interp/handlers.h"
#include "cpu-model/interp/operands.h"
#include "cpu-model/msr.h"

namespace ringshift {

namespace {

Outcome<> need_cpl0(const Cpu& cpu) {
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  return {};
}

// With a 16-bit operand size the base is 24 bits (SDM vol. 2A LGDT).
template <DescriptorTable VcpuState::*kTable>
Outcome<> load_table(Cpu& cpu, const Instruction& insn) {
  RS_TRY(need_cpl0(cpu));
  const u16 limit = RS_TRY(read_memory_operand<u16>(cpu, insn));
  const u32 base = RS_TRY(read_memory_operand<u32>(cpu, insn, 2));
  (cpu.state.*kTable).limit = limit;
  (cpu.state.*kTable).base = insn.operand_size == 2 ? base & 0xffffff : base;
  return {};
}

// Processors store all 32 bits of the base, whatever the operand size.
template <DescriptorTable VcpuState::*kTable>
Outcome<> store_table(Cpu& cpu, const Instruction& insn) {
  const DescriptorTable& table = cpu.state.*kTable;
  const u32 offset = effective_address(cpu.state, insn);
  RS_TRY(probe_memory(cpu, insn.segment, offset, 6));
  RS_TRY(write_memory_operand<u16>(cpu, insn, static_cast<u16>(table.limit)));
  return write_memory_operand<u32>(cpu, insn, static_cast<u32>(table.base), 2);
}

Outcome<> lmsw(Cpu& cpu, const Instruction& insn) {
  RS_TRY(need_cpl0(cpu));
  const u16 value = RS_TRY(read_operand<u16>(cpu, insn, 0));
  return load_machine_status_word(cpu, value);
}

Outcome<> smsw(Cpu& cpu, const Instruction& insn) {
  const u32 cr0 = static_cast<u32>(cpu.state.cr0);
  if (is_memory(insn, 0)) return write_memory_operand<u16>(cpu, insn, static_cast<u16>(cr0));
  if (insn.operand_size == 2) return write_operand<u16>(cpu, insn, 0, static_cast<u16>(cr0));
  return write_operand<u32>(cpu, insn, 0, cr0);
}

Outcome<> clts(Cpu& cpu, const Instruction&) { return clear_task_switched(cpu); }

// No segment check: only the linear address counts.
Outcome<> invlpg(Cpu& cpu, const Instruction& insn) {
  RS_TRY(need_cpl0(cpu));
  const u32 base = static_cast<u32>(cpu.state.segment(insn.segment).base);
  return invalidate_page(cpu, base + effective_address(cpu.state, insn));
}

// Guest memory is always coherent here.
Outcome<> invalidate_caches(Cpu& cpu, const Instruction&) { return need_cpl0(cpu); }

Outcome<> hlt(Cpu& cpu, const Instruction&) {
  RS_TRY(need_cpl0(cpu));
  cpu.state.halted = 1;
  cpu.control.raise_event(kEventInspect);
  return {};
}

Outcome<> cpuid(Cpu& cpu, const Instruction&) {
  VcpuState& state = cpu.state;
  const CpuidRegisters answer = execute_cpuid(cpu, state.reg32(kEax), state.reg32(kEcx));
  state.set_reg32(kEax, answer.eax);
  state.set_reg32(kEbx, answer.ebx);
  state.set_reg32(kEcx, answer.ecx);
  state.set_reg32(kEdx, answer.edx);
  return {};
}

void set_edx_eax(VcpuState& state, u64 value) {
  state.set_reg32(kEax, static_cast<u32>(value));
  state.set_reg32(kEdx, static_cast<u32>(value >> 32));
}

Outcome<> rdmsr(Cpu& cpu, const Instruction&) {
  RS_TRY(need_cpl0(cpu));
  set_edx_eax(cpu.state, RS_TRY(read_msr(cpu, cpu.state.reg32(kEcx))));
  return {};
}

Outcome<> wrmsr(Cpu& cpu, const Instruction&) {
  RS_TRY(need_cpl0(cpu));
  const u64 value = u64{cpu.state.reg32(kEdx)} << 32 | cpu.state.reg32(kEax);
  return write_msr(cpu, cpu.state.reg32(kEcx), value);
}

Outcome<> rdtsc(Cpu& cpu, const Instruction&) {
  set_edx_eax(cpu.state, RS_TRY(read_tsc(cpu)));
  return {};
}

Outcome<> rdtscp(Cpu& cpu, const Instruction& insn) {
  RS_TRY(rdtsc(cpu, insn));
  cpu.state.set_reg32(kEcx, static_cast<u32>(cpu.state.tsc_aux));
  return {};
}

// There are no performance counters.
Outcome<> rdpmc(Cpu&, const Instruction&) { return raise(Fault::gp()); }

}  // namespace

void register_system(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_LGDT, load_table<&VcpuState::gdtr>);
  table.set(ZYDIS_MNEMONIC_LIDT, load_table<&VcpuState::idtr>);
  table.set(ZYDIS_MNEMONIC_SGDT, store_table<&VcpuState::gdtr>);
  table.set(ZYDIS_MNEMONIC_SIDT, store_table<&VcpuState::idtr>);
  table.set(ZYDIS_MNEMONIC_LMSW, lmsw);
  table.set(ZYDIS_MNEMONIC_SMSW, smsw);
  table.set(ZYDIS_MNEMONIC_CLTS, clts);
  table.set(ZYDIS_MNEMONIC_INVLPG, invlpg);
  table.set(ZYDIS_MNEMONIC_INVD, invalidate_caches);
  table.set(ZYDIS_MNEMONIC_WBINVD, invalidate_caches);
  table.set(ZYDIS_MNEMONIC_HLT, hlt);
  table.set(ZYDIS_MNEMONIC_CPUID, cpuid);
  table.set(ZYDIS_MNEMONIC_RDMSR, rdmsr);
  table.set(ZYDIS_MNEMONIC_WRMSR, wrmsr);
  table.set(ZYDIS_MNEMONIC_RDTSC, rdtsc);
  table.set(ZYDIS_MNEMONIC_RDTSCP, rdtscp);
  table.set(ZYDIS_MNEMONIC_RDPMC, rdpmc);
}

}  // namespace ringshift
