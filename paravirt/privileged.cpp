// Emulation of privileged instructions (Xen's arch/x86/pv/emul-priv-op.c).
#include "paravirt/privileged.h"

#include <Zydis/Zydis.h>

#include <cstring>

#include "cpu-model/control_registers.h"
#include "cpu-model/memory_access.h"
#include "cpu-model/msr.h"
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {
constexpr u8 kXenPrefix[] = {0x0f, 0x0b, 'x', 'e', 'n'};
constexpr u8 kCpuidBytes[] = {0x0f, 0xa2};
constexpr u32 kXenLeaves = 0x40000000;
constexpr u32 kMsrEfer = 0xc0000080;
constexpr u32 kMsrTsc = 0x10;
constexpr u32 kMsrApicBase = 0x1b;
constexpr u32 kMsrMiscEnable = 0x1a0;
constexpr u32 kMsrPat = 0x277;

u32 code_address(const Cpu& cpu) {
  return static_cast<u32>(cpu.state.segment(Seg::cs).base) + cpu.state.eip();
}

void set_edx_eax(VcpuState& state, u64 value) {
  state.set_reg32(kEax, static_cast<u32>(value));
  state.set_reg32(kEdx, static_cast<u32>(value >> 32));
}
}  // namespace

bool set_debug_register(Cpu& cpu, unsigned number, u32 value) {
  if (number > 7 || number == 4 || number == 5) return false;
  if (number < 4 && value >= kHypervisorStart) return false;
  if (number == 7) {
    constexpr u32 kPortType = 2;
    constexpr u32 kGeneralDetect = 1u << 13;
    value &= ~kGeneralDetect;
    for (unsigned i = 0; i < 4; ++i)
      if (((value >> (16 + i * 4)) & 3) == kPortType && ((value >> (i * 2)) & 3) != 0) return false;
  }
  // Privilege has been checked by who calls this: the CPU's own rules are for ring 0.
  const u8 cpl = std::exchange(cpu.state.cpl, u8{0});
  const bool written = write_debug_register(cpu, number, value).has_value();
  cpu.state.cpl = cpl;
  return written;
}

Privileged::Privileged(Domain& domain) : domain_(domain), decoder_(domain.cpu.cpuid) {}

bool Privileged::iopl_allows() const {
  const Traps& traps = domain_.traps;
  const u8 level = !traps.in_kernel() ? 3 : traps.architectural_iopl ? 0 : 1;
  return level <= traps.iopl;
}

bool Privileged::emulate() {
  Cpu& cpu = domain_.cpu;
  u8 bytes[15];
  const auto fetched = fetch_bytes(cpu, code_address(cpu), bytes, sizeof bytes);
  if (!fetched) return false;
  Instruction insn;
  const CodeMode mode = cpu.code32() ? CodeMode::protected32 : CodeMode::protected16;
  if (decoder_.decode({bytes, *fetched}, mode, insn) != DecodeStatus::ok) return false;
  if (!execute(insn)) return false;
  cpu.state.rip = static_cast<u32>(cpu.state.rip + insn.length);
  cpu.state.interrupt_shadow = 0;
  return true;
}

bool Privileged::execute(const Instruction& insn) {
  VcpuState& state = domain_.cpu.state;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_CLTS:
      state.cr0 &= ~u64{kCr0Ts};
      return true;
    case ZYDIS_MNEMONIC_CLI:
    case ZYDIS_MNEMONIC_STI:
      // evtchn_upcall_mask stays: POPF couldn't be told of (Xen does the same).
      return iopl_allows();
    case ZYDIS_MNEMONIC_WBINVD:
      return true;
    case ZYDIS_MNEMONIC_RDMSR:
      return read_msr(state.reg32(kEcx));
    case ZYDIS_MNEMONIC_WRMSR:
      return write_msr(state.reg32(kEcx), u64{state.reg32(kEdx)} << 32 | state.reg32(kEax));
    case ZYDIS_MNEMONIC_MOV: {
      const Operand& to = insn.operands[0];
      const Operand& from = insn.operands[1];
      if (from.kind == OperandKind::control) return read_control(from.reg, to.reg);
      if (to.kind == OperandKind::control) return write_control(to.reg, state.reg32(from.reg));
      if (to.kind == OperandKind::debug)
        return set_debug_register(domain_.cpu, to.reg, state.reg32(from.reg));
      if (from.kind != OperandKind::debug || from.reg > 7 || from.reg == 4 || from.reg == 5) return false;
      state.set_reg32(to.reg, static_cast<u32>(state.dr[from.reg]));
      return true;
    }
    default:
      return false;
  }
}

bool Privileged::read_control(unsigned number, u8 to) {
  VcpuState& state = domain_.cpu.state;
  switch (number) {
    case 0:
      state.set_reg32(to, static_cast<u32>(state.cr0));
      return true;
    case 2:
      state.set_reg32(to, domain_.info.cr2());
      return true;
    case 3:
      // xen_pfn_to_cr3; no frame is above 4 GiB.
      state.set_reg32(to, domain_.address_space.current() << kPageShift);
      return true;
    case 4:
      state.set_reg32(to, static_cast<u32>(state.cr4));
      return true;
    default:
      return false;
  }
}

bool Privileged::write_control(unsigned number, u32 value) {
  VcpuState& state = domain_.cpu.state;
  switch (number) {
    case 0:
      // Only TS is the guest's.
      if (((value ^ static_cast<u32>(state.cr0)) & ~kCr0Ts) != 0) return false;
      state.cr0 = value;
      return true;
    case 2:
      domain_.info.set_cr2(value);
      return true;
    case 3:
      return domain_.address_space.switch_to(value >> kPageShift | u64{value & 0xfff} << 20) == 0;
    case 4: {
      // What else it asks for is as it was, without a word (Xen's pv_fixup_guest_cr4).
      constexpr u64 kGuests = kCr4Tsd | kCr4De;
      state.cr4 = (state.cr4 & ~kGuests) | (value & kGuests);
      return true;
    }
    default:
      return false;
  }
}

bool Privileged::read_msr(u32 index) {
  VcpuState& state = domain_.cpu.state;
  switch (index) {
    case kMsrEfer:
      set_edx_eax(state, state.efer);
      return true;
    case kMsrTsc: {
      const auto tsc = read_tsc(domain_.cpu);
      if (tsc) set_edx_eax(state, *tsc);
      return tsc.has_value();
    }
    case kMsrApicBase:
    case kMsrMiscEnable:
    case kMsrPat: {
      const u64 value = index == kMsrApicBase ? state.apic_base
                        : index == kMsrPat    ? state.pat
                                              : state.misc_enable;
      set_edx_eax(state, value);
      return true;
    }
    default:
      // A kernel that has no #GP handler yet isn't killed for a look (xen/arch-x86/xen.h).
      if (domain_.traps.gate(static_cast<u8>(Vector::general_protection)).eip != 0) return false;
      set_edx_eax(state, 0);
      return true;
  }
}

bool Privileged::write_msr(u32 index, u64 value) {
  const VcpuState& state = domain_.cpu.state;
  switch (index) {
    case kMsrEfer:
      return value == state.efer;
    case kMsrPat:
      return value == state.pat;
    case kMsrMiscEnable:
      return value == state.misc_enable;
    default:
      return false;
  }
}

bool Privileged::emulate_forced_cpuid() {
  Cpu& cpu = domain_.cpu;
  u8 bytes[sizeof kXenPrefix + sizeof kCpuidBytes];
  const auto fetched = fetch_bytes(cpu, code_address(cpu), bytes, sizeof bytes);
  if (!fetched || *fetched != sizeof bytes) return false;
  if (std::memcmp(bytes, kXenPrefix, sizeof kXenPrefix) != 0 ||
      std::memcmp(bytes + sizeof kXenPrefix, kCpuidBytes, sizeof kCpuidBytes) != 0)
    return false;
  VcpuState& state = cpu.state;
  const CpuidRegisters answer = cpuid(state.reg32(kEax), state.reg32(kEcx));
  state.set_reg32(kEax, answer.eax);
  state.set_reg32(kEbx, answer.ebx);
  state.set_reg32(kEcx, answer.ecx);
  state.set_reg32(kEdx, answer.edx);
  state.rip = static_cast<u32>(state.rip + sizeof bytes);
  state.interrupt_shadow = 0;
  return true;
}

CpuidRegisters Privileged::cpuid(u32 leaf, u32 subleaf) const {
  constexpr u32 kVersion = 4u << 16 | 17;
  switch (leaf) {
    case kXenLeaves:
      return {kXenLeaves + 2, 0x566e6558, 0x65584d4d, 0x4d4d566e};  // XenVMMXenVMM
    case kXenLeaves + 1:
      return {kVersion, 0, 0, 0};
    case kXenLeaves + 2:
      return {0, 0, 0, 0};  // no hypercall page by MSR, no features (PV: by the ELF note)
    default:
      break;
  }
  CpuidRegisters answer = domain_.cpu.cpuid.query(leaf, subleaf);
  if (leaf == 1) {
    // VME, PSE, MCE, APIC, SEP, MTRR, PGE, MCA, PSE36, DS, ACPI, TM, PBE.
    constexpr u32 kHiddenEdx = 1u << 1 | 1u << 3 | 1u << 7 | 1u << 9 | 1u << 11 | 1u << 12 | 1u << 13 |
                               1u << 14 | 1u << 17 | 1u << 21 | 1u << 22 | 1u << 29 | 1u << 31;
    // DTES64, MONITOR, DS-CPL, VMX, SMX, EST, TM2, xTPR, PDCM, PCID, DCA, x2APIC.
    constexpr u32 kHiddenEcx = 1u << 2 | 1u << 3 | 1u << 4 | 1u << 5 | 1u << 6 | 1u << 7 | 1u << 8 |
                               1u << 14 | 1u << 15 | 1u << 17 | 1u << 18 | 1u << 21;
    constexpr u32 kHypervisor = 1u << 31;
    answer.edx &= ~kHiddenEdx;
    answer.ecx = (answer.ecx & ~kHiddenEcx) | kHypervisor;
  }
  return answer;
}

}  // namespace ringshift::xen
