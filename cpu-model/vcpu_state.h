// VcpuState: all that is architectural in a virtual CPU, each element listed once.
//
// Engines work on it or copy it (ExecutionEngine::save/restore); no engine's own fields are in it. Registers
// are wide enough for long mode. Save, restore, diff and dump derive from the list (cpu-model/vcpu_dump.h).
#pragma once

#include <type_traits>

#include "base/types.h"

namespace ringshift {

// Register numbers as instructions encode them.
enum Gpr : u8 { kEax, kEcx, kEdx, kEbx, kEsp, kEbp, kEsi, kEdi };
enum class Seg : u8 { es, cs, ss, ds, fs, gs };
inline constexpr unsigned kSegCount = 6;

// EFLAGS (SDM vol. 1 3.4.3).
inline constexpr u32 kFlagCf = 1u << 0;
inline constexpr u32 kFlagFixed = 1u << 1;
inline constexpr u32 kFlagPf = 1u << 2;
inline constexpr u32 kFlagAf = 1u << 4;
inline constexpr u32 kFlagZf = 1u << 6;
inline constexpr u32 kFlagSf = 1u << 7;
inline constexpr u32 kFlagTf = 1u << 8;
inline constexpr u32 kFlagIf = 1u << 9;
inline constexpr u32 kFlagDf = 1u << 10;
inline constexpr u32 kFlagOf = 1u << 11;
inline constexpr u32 kFlagIopl = 3u << 12;
inline constexpr u32 kFlagNt = 1u << 14;
inline constexpr u32 kFlagRf = 1u << 16;
inline constexpr u32 kFlagVm = 1u << 17;
inline constexpr u32 kFlagAc = 1u << 18;
inline constexpr u32 kFlagVif = 1u << 19;
inline constexpr u32 kFlagVip = 1u << 20;
inline constexpr u32 kFlagId = 1u << 21;
inline constexpr u32 kArithmeticFlags = kFlagCf | kFlagPf | kFlagAf | kFlagZf | kFlagSf | kFlagOf;

// CR0, CR4, EFER (SDM vol. 3A 2.5, 2.2.1).
inline constexpr u32 kCr0Pe = 1u << 0;
inline constexpr u32 kCr0Mp = 1u << 1;
inline constexpr u32 kCr0Em = 1u << 2;
inline constexpr u32 kCr0Ts = 1u << 3;
inline constexpr u32 kCr0Et = 1u << 4;
inline constexpr u32 kCr0Ne = 1u << 5;
inline constexpr u32 kCr0Wp = 1u << 16;
inline constexpr u32 kCr0Am = 1u << 18;
inline constexpr u32 kCr0Nw = 1u << 29;
inline constexpr u32 kCr0Cd = 1u << 30;
inline constexpr u32 kCr0Pg = 1u << 31;
inline constexpr u32 kCr4Vme = 1u << 0;
inline constexpr u32 kCr4Pvi = 1u << 1;
inline constexpr u32 kCr4Tsd = 1u << 2;
inline constexpr u32 kCr4De = 1u << 3;
inline constexpr u32 kCr4Pse = 1u << 4;
inline constexpr u32 kCr4Pae = 1u << 5;
inline constexpr u32 kCr4Mce = 1u << 6;
inline constexpr u32 kCr4Pge = 1u << 7;
inline constexpr u32 kCr4Pce = 1u << 8;
inline constexpr u32 kCr4OsFxsr = 1u << 9;
inline constexpr u32 kCr4OsXmmExcpt = 1u << 10;
inline constexpr u32 kEferNxe = 1u << 11;

// Segment attributes: the descriptor's access byte in bits 0-7 and its flags nibble in bits 12-15, as VMX has
// them (SDM vol. 3C 24.4.1); bit 16 is "unusable" (loaded with a null selector).
inline constexpr u32 kSegTypeMask = 0x0f;
inline constexpr u32 kSegAccessed = 1u << 0;
inline constexpr u32 kSegWritable = 1u << 1;    // data: writable; code: readable
inline constexpr u32 kSegExpandDown = 1u << 2;  // data: expand-down; code: conforming
inline constexpr u32 kSegCode = 1u << 3;
inline constexpr u32 kSegNotSystem = 1u << 4;
inline constexpr u32 kSegPresent = 1u << 7;
inline constexpr u32 kSegBig = 1u << 14;  // D/B
inline constexpr u32 kSegGranular = 1u << 15;
inline constexpr u32 kSegUnusable = 1u << 16;
inline constexpr unsigned kSegDplShift = 5;

struct SegmentRegister {
  u16 selector;
  u16 reserved;
  u32 attributes;
  u32 limit;  // In bytes, granularity applied.
  u32 reserved2;
  u64 base;

  u8 dpl() const { return (attributes >> kSegDplShift) & 3; }
  bool usable() const { return (attributes & kSegUnusable) == 0; }
  bool operator==(const SegmentRegister&) const = default;
};

// GDTR and IDTR.
struct DescriptorTable {
  u64 base;
  u32 limit;
  u32 reserved;
  bool operator==(const DescriptorTable&) const = default;
};

// x87, MMX and SSE, in FXSAVE's 32-bit layout (SDM vol. 1 10.5.1).
struct alignas(16) FxState {
  u8 bytes[512];
  bool operator==(const FxState&) const = default;
};

// Blocking by STI and by MOV SS / POP SS, until the end of the next instruction (SDM vol. 3A 6.8.3).
inline constexpr u8 kShadowSti = 1;
inline constexpr u8 kShadowMovSs = 2;

// MTRRs: 11 fixed registers and 8 variable pairs; kept, without effect.
inline constexpr unsigned kFixedMtrrs = 11;
inline constexpr unsigned kVariableMtrrs = 8;

// X(type, name, array suffix, what it is). Order is the save format; add at the end, and count up
// kVcpuStateVersion.
inline constexpr u32 kVcpuStateVersion = 1;
#define RINGSHIFT_VCPU_ELEMENTS(X)                                                              \
  X(FxState, fx, , "x87, MMX and SSE state, FXSAVE layout")                                     \
  X(u64, gpr, [16], "general registers, by encoding; only the low half of the first 8 is used") \
  X(u64, rip, , "instruction pointer")                                                          \
  X(u64, rflags, , "flags")                                                                     \
  X(SegmentRegister, seg, [kSegCount], "ES CS SS DS FS GS with their hidden parts")             \
  X(SegmentRegister, ldtr, , "LDTR")                                                            \
  X(SegmentRegister, tr, , "TR")                                                                \
  X(DescriptorTable, gdtr, , "GDTR")                                                            \
  X(DescriptorTable, idtr, , "IDTR")                                                            \
  X(u64, cr0, , "CR0")                                                                          \
  X(u64, cr2, , "CR2")                                                                          \
  X(u64, cr3, , "CR3")                                                                          \
  X(u64, cr4, , "CR4")                                                                          \
  X(u64, pdpte, [4], "PAE page-directory-pointer registers, loaded by MOV CR3")                 \
  X(u64, dr, [8], "debug registers; 4 and 5 unused")                                            \
  X(u64, efer, , "EFER")                                                                        \
  X(u64, tsc_offset, , "added to the Clock's TSC")                                              \
  X(u64, tsc_aux, , "TSC_AUX")                                                                  \
  X(u64, sysenter_cs, , "SYSENTER_CS")                                                          \
  X(u64, sysenter_esp, , "SYSENTER_ESP")                                                        \
  X(u64, sysenter_eip, , "SYSENTER_EIP")                                                        \
  X(u64, apic_base, , "APIC_BASE")                                                              \
  X(u64, pat, , "PAT")                                                                          \
  X(u64, misc_enable, , "MISC_ENABLE")                                                          \
  X(u64, mtrr_def_type, , "MTRR_DEF_TYPE")                                                      \
  X(u64, mtrr_fixed, [kFixedMtrrs], "fixed MTRRs, in address order")                            \
  X(u64, mtrr_base, [kVariableMtrrs], "variable MTRR bases")                                    \
  X(u64, mtrr_mask, [kVariableMtrrs], "variable MTRR masks")                                    \
  X(u64, pending_dr6, , "DR6 bits of a #DB to deliver before the next instruction; 0 for none") \
  X(u8, cpl, , "current privilege level")                                                       \
  X(u8, halted, , "in HLT")                                                                     \
  X(u8, shutdown, , "after a triple fault")                                                     \
  X(u8, interrupt_shadow, , "kShadowSti, kShadowMovSs")                                         \
  X(u8, nmi_masked, , "between an NMI's delivery and IRET")                                     \
  X(u8, nmi_pending, , "an NMI waits")                                                          \
  X(u8, ferr_pending, , "an unmasked x87 exception waits, CR0.NE = 0: FERR# is raised")         \
  X(u8, a20_masked, , "the A20 gate is closed: bit 20 of physical addresses is 0")

struct VcpuState {
#define RINGSHIFT_DECLARE(type, name, suffix, what) type name suffix;
  RINGSHIFT_VCPU_ELEMENTS(RINGSHIFT_DECLARE)
#undef RINGSHIFT_DECLARE

  u32 eip() const { return static_cast<u32>(rip); }
  u32 eflags() const { return static_cast<u32>(rflags); }
  u32 reg32(unsigned r) const { return static_cast<u32>(gpr[r]); }
  // Writes the low 32 bits; the upper half becomes 0.
  void set_reg32(unsigned r, u32 value) { gpr[r] = value; }
  u16 reg16(unsigned r) const { return static_cast<u16>(gpr[r]); }
  void set_reg16(unsigned r, u16 value) { gpr[r] = (gpr[r] & 0xffff0000u) | value; }
  // 0-3 are AL CL DL BL, 4-7 AH CH DH BH.
  u8 reg8(unsigned r) const { return static_cast<u8>(gpr[r & 3] >> ((r & 4) * 2)); }
  void set_reg8(unsigned r, u8 value) {
    const unsigned shift = (r & 4) * 2;
    gpr[r & 3] = (gpr[r & 3] & ~(u64{0xff} << shift)) | (u64{value} << shift);
  }
  SegmentRegister& segment(Seg s) { return seg[static_cast<unsigned>(s)]; }
  const SegmentRegister& segment(Seg s) const { return seg[static_cast<unsigned>(s)]; }
};
static_assert(std::is_standard_layout_v<VcpuState> && std::is_trivially_copyable_v<VcpuState>);

// The state after RESET# (SDM vol. 3A table 9-1), with the given family/model/stepping in EDX.
void reset_vcpu(VcpuState& state, u32 cpu_signature);

}  // namespace ringshift
