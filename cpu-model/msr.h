// RDMSR and WRMSR. An unknown register is #GP, and told of once under -d int.
#pragma once

#include "cpu-model/cpu.h"

namespace ringshift {

Outcome<u64> read_msr(Cpu& cpu, u32 index);
Outcome<> write_msr(Cpu& cpu, u32 index, u64 value);
// RDTSC, with CR4.TSD's check.
Outcome<u64> read_tsc(Cpu& cpu);
// CPUID with the bits that follow state (APIC enabled).
inline CpuidRegisters execute_cpuid(const Cpu& cpu, u32 leaf, u32 subleaf) {
  CpuidRegisters registers = cpu.cpuid.query(leaf, subleaf);
  constexpr u32 kApicBit = 1u << 9;
  constexpr u64 kApicEnabled = 1u << 11;
  if (leaf == 1 && (cpu.state.apic_base & kApicEnabled) == 0) registers.edx &= ~kApicBit;
  return registers;
}

}  // namespace ringshift
