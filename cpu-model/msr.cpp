// The model-specific registers of a family-6 processor, as far as operating systems touch them (SDM vol. 4).
#include "cpu-model/msr.h"

#include <algorithm>

#include "cpu-model/cpuid.h"

namespace ringshift {

namespace {

enum : u32 {
  kTsc = 0x10,
  kPlatformId = 0x17,
  kApicBase = 0x1b,
  kEblCrPoweron = 0x2a,
  kMicrocodeUpdate = 0x79,
  kMicrocodeRevision = 0x8b,
  kMtrrCap = 0xfe,
  kSysenterCs = 0x174,
  kSysenterEsp = 0x175,
  kSysenterEip = 0x176,
  kMiscEnable = 0x1a0,
  kDebugCtl = 0x1d9,
  kMtrrVariable = 0x200,
  kMtrrVariableEnd = kMtrrVariable + 2 * kVariableMtrrs,
  kPat = 0x277,
  kMtrrDefType = 0x2ff,
  kEfer = 0xc0000080,
  kTscAux = 0xc0000103,
};
constexpr u32 kMtrrFixed[kFixedMtrrs] = {0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
                                         0x26b, 0x26c, 0x26d, 0x26e, 0x26f};
// Older ones make Linux turn PSE off on model 28 (Atom erratum AAH41).
constexpr u64 kReportedMicrocode = u64{0x20e} << 32;
// Eight variable registers, fixed ones, write-combining.
constexpr u64 kReportedMtrrCap = kVariableMtrrs | 1u << 8 | 1u << 10;

constexpr bool is_mtrr_type(u8 type) { return type <= 1 || (type >= 4 && type <= 6); }
constexpr bool is_pat_type(u8 type) { return is_mtrr_type(type) || type == 7; }

u64 tsc_now(const Cpu& cpu) { return (cpu.io != nullptr ? cpu.io->read_tsc() : 0) + cpu.state.tsc_offset; }

// An MSR that is one element of the state and has no side effects: where it is, and what it takes.
struct PlainMsr {
  u64* value;
  u64 reserved = 0;                  // bits that must be 0
  bool (*valid_byte)(u8) = nullptr;  // each byte must pass
  u8 type_bytes = 0;                 // or only so many low ones
};

PlainMsr plain_mtrr(VcpuState& state, u32 index) {
  if (index == kMtrrDefType) return {&state.mtrr_def_type, ~u64{0xcff}, is_mtrr_type, 1};
  if (index >= kMtrrVariable && index < kMtrrVariableEnd) {
    const u32 pair = (index - kMtrrVariable) / 2;
    if (index % 2 == 0) return {&state.mtrr_base[pair], kAbovePhysical | 0xf00, is_mtrr_type, 1};
    return {&state.mtrr_mask[pair], kAbovePhysical | 0x7ff};
  }
  const auto* fixed = std::find(std::begin(kMtrrFixed), std::end(kMtrrFixed), index);
  if (fixed != std::end(kMtrrFixed))
    return {&state.mtrr_fixed[fixed - std::begin(kMtrrFixed)], 0, is_mtrr_type, 8};
  return {nullptr};
}

// value is null for MSRs that aren't of this kind or that the CPU model lacks.
PlainMsr plain_msr(VcpuState& state, const CpuidTable& cpuid, u32 index) {
  auto given = [&](CpuFeature feature, PlainMsr msr) { return cpuid.has(feature) ? msr : PlainMsr{nullptr}; };
  switch (index) {
    case kSysenterCs:
      return given(CpuFeature::sep, {&state.sysenter_cs});
    case kSysenterEsp:
      return given(CpuFeature::sep, {&state.sysenter_esp});
    case kSysenterEip:
      return given(CpuFeature::sep, {&state.sysenter_eip});
    case kPat:
      return given(CpuFeature::pat, {&state.pat, 0, is_pat_type, 8});
    case kTscAux:
      return given(CpuFeature::rdtscp, {&state.tsc_aux, ~u64{0xffffffff}});
    default:
      return given(CpuFeature::mtrr, plain_mtrr(state, index));
  }
}

Outcome<> write_plain(const PlainMsr& msr, u64 value) {
  if ((value & msr.reserved) != 0) return raise(Fault::gp());
  for (unsigned i = 0; i < msr.type_bytes; ++i)
    if (!msr.valid_byte(static_cast<u8>(value >> (8 * i)))) return raise(Fault::gp());
  *msr.value = value;
  return {};
}

Outcome<> write_apic_base(Cpu& cpu, u64 value) {
  constexpr u64 kReserved = kAbovePhysical | 0x6ff;  // x2APIC's bit 10 included
  constexpr u64 kBootProcessor = 0x100;              // read-only
  if ((value & kReserved) != 0) return raise(Fault::gp());
  cpu.state.apic_base = value | (cpu.state.apic_base & kBootProcessor);
  if (cpu.io != nullptr) cpu.io->apic_base_changed(cpu.state.apic_base);
  return {};
}

// Of EFER only NXE exists: no SYSCALL, no long mode.
Outcome<> write_efer(Cpu& cpu, u64 value) {
  if ((value & ~u64{kEferNxe}) != 0) return raise(Fault::gp());
  const bool changed = value != cpu.state.efer;
  cpu.state.efer = value;
  if (changed) cpu.flush_all();
  return {};
}

Outcome<> write_misc_enable(Cpu& cpu, u64 value) {
  constexpr u64 kFastStrings = 1;
  // The rest has no effect here, and firmware that sets bits of other models should not fault.
  cpu.state.misc_enable = (cpu.state.misc_enable & ~kFastStrings) | (value & kFastStrings);
  return {};
}

tl::unexpected<Fault> unknown(Cpu& cpu, u32 index, const char* what) {
  constexpr std::size_t kRemembered = 64;
  auto& known = cpu.unknown_msrs;
  if (known.size() < kRemembered && std::find(known.begin(), known.end(), index) == known.end()) {
    known.push_back(index);
    if (cpu.trace.on(TracePoint::interrupts))
      cpu.trace.write("int: {} of unknown MSR {:#x} at eip {:08x}\n", what, index, cpu.state.eip());
  }
  return raise(Fault::gp());
}

}  // namespace

Outcome<u64> read_msr(Cpu& cpu, u32 index) {
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  if (const PlainMsr msr = plain_msr(cpu.state, cpu.cpuid, index); msr.value != nullptr) return *msr.value;
  switch (index) {
    case kTsc:
      return tsc_now(cpu);
    case kApicBase:
      if (cpu.cpuid.has(CpuFeature::apic)) return cpu.state.apic_base;
      break;
    case kMtrrCap:
      if (cpu.cpuid.has(CpuFeature::mtrr)) return kReportedMtrrCap;
      break;
    case kEfer:
      if (cpu.cpuid.has(CpuFeature::nx)) return cpu.state.efer;
      break;
    case kMicrocodeRevision:
      return kReportedMicrocode;
    case kMiscEnable:
      return cpu.state.misc_enable;
    case kPlatformId:
    case kEblCrPoweron:
    case kDebugCtl:
      return u64{0};
  }
  return unknown(cpu, index, "read");
}

Outcome<> write_msr(Cpu& cpu, u32 index, u64 value) {
  if (cpu.state.cpl != 0) return raise(Fault::gp());
  if (const PlainMsr msr = plain_msr(cpu.state, cpu.cpuid, index); msr.value != nullptr)
    return write_plain(msr, value);
  switch (index) {
    case kTsc:
      cpu.state.tsc_offset += value - tsc_now(cpu);
      return {};
    case kApicBase:
      if (cpu.cpuid.has(CpuFeature::apic)) return write_apic_base(cpu, value);
      break;
    case kEfer:
      if (cpu.cpuid.has(CpuFeature::nx)) return write_efer(cpu, value);
      break;
    case kMiscEnable:
      return write_misc_enable(cpu, value);
    case kMicrocodeRevision:  // written with 0 before CPUID, to read the revision
    case kMicrocodeUpdate:    // no update is ever taken
    case kEblCrPoweron:
      return {};
    case kDebugCtl:  // LBR and BTF are accepted, without effect
      if ((value & ~u64{3}) == 0) return {};
      return raise(Fault::gp());
  }
  return unknown(cpu, index, "write");
}

Outcome<u64> read_tsc(Cpu& cpu) {
  if ((cpu.state.cr4 & kCr4Tsd) != 0 && cpu.state.cpl != 0) return raise(Fault::gp());
  return tsc_now(cpu);
}

}  // namespace ringshift
