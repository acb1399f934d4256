// Control registers: reserved bits, forbidden combinations, and the flushes that a change brings about.
//
// Source: SDM vol. 3A 2.5; vol. 2B MOV CR; for PDPTE loads vol. 3A 4.4.1; for flushes 4.10.4.1.
#include "cpu-model/control_registers.h"

namespace ringshift {

namespace {

constexpr u32 kCr0Known =
    kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts | kCr0Et | kCr0Ne | kCr0Wp | kCr0Am | kCr0Nw | kCr0Cd | kCr0Pg;

Outcome<> require_cpl0(const Cpu& cpu) {
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  return {};
}

bool is_control_register(unsigned number) { return number == 0 || (number >= 2 && number <= 4); }

u32 known_cr4(const CpuidTable& cpuid) {
  u32 known = kCr4Pce;
  auto add = [&](CpuFeature feature, u32 bits) {
    if (cpuid.has(feature)) known |= bits;
  };
  add(CpuFeature::vme, kCr4Vme | kCr4Pvi);
  add(CpuFeature::tsc, kCr4Tsd);
  add(CpuFeature::de, kCr4De);
  add(CpuFeature::pse, kCr4Pse);
  add(CpuFeature::pae, kCr4Pae);
  add(CpuFeature::pge, kCr4Pge);
  add(CpuFeature::fxsr, kCr4OsFxsr);
  add(CpuFeature::sse, kCr4OsXmmExcpt);
  return known;
}

// Puts a new CR0 or CR4 in, loads PDPTEs if some of its `pdpte_bits` changed, and flushes if some of its
// `flush_bits` did. On #GP the old value is back.
Outcome<> change(Cpu& cpu, u64& reg, u32 value, u32 pdpte_bits, u32 flush_bits) {
  const u32 old = static_cast<u32>(reg);
  const u32 changed = old ^ value;
  reg = value;
  if ((changed & pdpte_bits) != 0) {
    if (const auto loaded = load_pdptes(cpu, cpu.state.cr3); !loaded) {
      reg = old;
      return raise(loaded.error());
    }
  }
  if ((changed & flush_bits) != 0) cpu.flush_all();
  return {};
}

// Undefined bits are ignored, and ET is wired to 1.
Outcome<> write_cr0(Cpu& cpu, u32 value) {
  value = (value & kCr0Known) | kCr0Et;
  if ((value & kCr0Pg) != 0 && (value & kCr0Pe) == 0) return raise(Fault::gp());
  if ((value & kCr0Nw) != 0 && (value & kCr0Cd) == 0) return raise(Fault::gp());
  return change(cpu, cpu.state.cr0, value, kCr0Cd | kCr0Nw | kCr0Pg, kCr0Pg | kCr0Wp);
}

Outcome<> write_cr3(Cpu& cpu, u32 value) {
  RS_TRY(load_pdptes(cpu, value));
  cpu.state.cr3 = value;
  if ((cpu.state.cr4 & kCr4Pge) != 0)
    cpu.flush_address_space();
  else
    cpu.flush_all();
  return {};
}

Outcome<> write_cr4(Cpu& cpu, u32 value) {
  if ((value & ~known_cr4(cpu.cpuid)) != 0) return raise(Fault::gp());
  constexpr u32 kPaging = kCr4Pse | kCr4Pae | kCr4Pge;
  return change(cpu, cpu.state.cr4, value, kPaging, kPaging);
}

}  // namespace

Outcome<u32> read_control_register(Cpu& cpu, unsigned number) {
  if (!is_control_register(number)) return raise(Fault::ud());
  RS_TRY(require_cpl0(cpu));
  switch (number) {
    case 0:
      return static_cast<u32>(cpu.state.cr0);
    case 2:
      return static_cast<u32>(cpu.state.cr2);
    case 3:
      return static_cast<u32>(cpu.state.cr3);
    default:
      return static_cast<u32>(cpu.state.cr4);
  }
}

Outcome<> write_control_register(Cpu& cpu, unsigned number, u32 value) {
  if (!is_control_register(number)) return raise(Fault::ud());
  RS_TRY(require_cpl0(cpu));
  switch (number) {
    case 0:
      return write_cr0(cpu, value);
    case 2:
      cpu.state.cr2 = value;
      return {};
    case 3:
      return write_cr3(cpu, value);
    default:
      return write_cr4(cpu, value);
  }
}

// LMSW reaches the low four bits, and can't clear PE.
Outcome<> load_machine_status_word(Cpu& cpu, u16 value) {
  RS_TRY(require_cpl0(cpu));
  constexpr u32 kMask = kCr0Pe | kCr0Mp | kCr0Em | kCr0Ts;
  const u32 old = static_cast<u32>(cpu.state.cr0);
  return write_cr0(cpu, (old & ~kMask) | (value & kMask) | (old & kCr0Pe));
}

Outcome<> clear_task_switched(Cpu& cpu) {
  RS_TRY(require_cpl0(cpu));
  cpu.state.cr0 &= ~u64{kCr0Ts};
  return {};
}

Outcome<> invalidate_page(Cpu& cpu, Gva gva) {
  RS_TRY(require_cpl0(cpu));
  cpu.flush_page(gva);
  return {};
}

}  // namespace ringshift
