// Segmentation: limit and type checks of accesses, descriptors, and loads of segment registers.
#pragma once

#include "cpu-model/cpu.h"
#include "cpu-model/memory_access.h"

namespace ringshift {

// True when [offset, offset + size) may be accessed in the segment: limit (expand-down too), type, null.
// The caller raises #SS for SS and #GP for others.
bool segment_allows(const Cpu& cpu, Seg segment, u32 offset, u32 size, AccessKind kind);

// The check that nearly always passes, inline: a writable expand-up data segment, inside its limit.
inline bool plainly_allowed(const SegmentRegister& segment, u32 offset, u32 size) {
  constexpr u32 kDecides = kSegUnusable | kSegCode | kSegExpandDown | kSegWritable;
  return (segment.attributes & kDecides) == kSegWritable && u64{offset} + size - 1 <= segment.limit;
}

// Linear address of a logical one, after segment_allows; raises #GP(0) or #SS(0).
inline Outcome<Gva> linear_address(Cpu& cpu, Seg segment, u32 offset, u32 size, AccessKind kind) {
  if (!plainly_allowed(cpu.state.segment(segment), offset, size) &&
      !segment_allows(cpu, segment, offset, size, kind)) [[unlikely]]
    return raise(segment == Seg::ss ? Fault::ss() : Fault::gp());
  return static_cast<Gva>(cpu.state.segment(segment).base) + offset;
}

// #AC if CR0.AM, EFLAGS.AC, CPL 3 and gva is not a multiple of size (a power of two up to 8; others pass).
inline Outcome<> check_alignment(const Cpu& cpu, Gva gva, u32 size) {
  if ((cpu.state.rflags & kFlagAc) == 0 || (gva & (size - 1)) == 0) [[likely]]
    return {};
  if ((cpu.state.cr0 & kCr0Am) == 0 || !cpu.user() || size > 8 || (size & (size - 1)) != 0) return {};
  return raise(Fault::ac());
}

// Data accesses of instructions, at the current privilege; alignment is checked when CR0.AM, EFLAGS.AC and
// CPL 3 ask for it (#AC).
template <class T>
Outcome<T> read_memory(Cpu& cpu, Seg segment, u32 offset) {
  const Gva gva = RS_TRY(linear_address(cpu, segment, offset, sizeof(T), AccessKind::read));
  RS_TRY(check_alignment(cpu, gva, sizeof(T)));
  return read_linear<T>(cpu, gva, cpu.user());
}
template <class T>
Outcome<> write_memory(Cpu& cpu, Seg segment, u32 offset, const T& value) {
  const Gva gva = RS_TRY(linear_address(cpu, segment, offset, sizeof(T), AccessKind::write));
  RS_TRY(check_alignment(cpu, gva, sizeof(T)));
  return write_linear<T>(cpu, gva, value, cpu.user());
}
// As write_memory, without writing: for read-modify-write.
Outcome<> probe_memory(Cpu& cpu, Seg segment, u32 offset, u32 size);

// A descriptor as it stands in a table (SDM vol. 3A 3.4.5), 8 bytes.
struct Descriptor {
  u32 low, high;
  u32 base() const { return (low >> 16) | ((high & 0xff) << 16) | (high & 0xff000000); }
  u32 limit() const {  // bytes, granularity applied
    const u32 raw = (low & 0xffff) | (high & 0xf0000);
    return (high & (1u << 23)) != 0 ? (raw << 12) | 0xfff : raw;
  }
  u32 attributes() const { return (high >> 8) & 0xf0ff; }  // as SegmentRegister::attributes
  u8 type() const { return (high >> 8) & 0x0f; }
  bool present() const { return (high & (1u << 15)) != 0; }
  bool system() const { return (high & (1u << 12)) == 0; }
  u8 dpl() const { return (high >> 13) & 3; }
  bool code() const { return !system() && (type() & 8) != 0; }
  bool conforming() const { return code() && (type() & 4) != 0; }
  // Gates.
  u16 gate_selector() const { return low >> 16; }
  u32 gate_offset() const { return (high & 0xffff0000) | (low & 0xffff); }
  u8 gate_parameters() const { return high & 0x1f; }
};
// System descriptor types (SDM vol. 3A table 3-2).
enum : u8 {
  kTypeTss16 = 1,
  kTypeLdt = 2,
  kTypeTss16Busy = 3,
  kTypeCallGate16 = 4,
  kTypeTaskGate = 5,
  kTypeInterruptGate16 = 6,
  kTypeTrapGate16 = 7,
  kTypeTss32 = 9,
  kTypeTss32Busy = 11,
  kTypeCallGate32 = 12,
  kTypeInterruptGate32 = 14,
  kTypeTrapGate32 = 15,
};

// Reads the descriptor of a selector from GDT or LDT. Outside the table, or LDT unusable: raises `error` with
// the selector's index (the error code's low 2 bits clear).
Outcome<Descriptor> read_descriptor(Cpu& cpu, u16 selector, Vector error = Vector::general_protection);
// Whether GDT or LDT reaches to the selector's descriptor.
inline bool in_descriptor_table(const Cpu& cpu, u16 selector) {
  const u32 last = (selector & 0xfff8u) + 7;
  if ((selector & 4) != 0) return cpu.state.ldtr.usable() && last <= cpu.state.ldtr.limit;
  return last <= cpu.state.gdtr.limit;
}
// Linear address of a selector's descriptor; the selector is inside its table.
inline Gva descriptor_address(const Cpu& cpu, u16 selector) {
  const u64 base = (selector & 4) != 0 ? cpu.state.ldtr.base : cpu.state.gdtr.base;
  return static_cast<Gva>(base) + (selector & 0xfff8u);
}
// Sets the accessed bit in memory if it isn't set.
Outcome<> set_accessed(Cpu& cpu, u16 selector, Descriptor& descriptor);

// The hidden part that a valid descriptor gives.
SegmentRegister segment_from(u16 selector, const Descriptor& descriptor);
// The hidden part in real-address mode (base and selector change; limit and attributes stay, as on hardware)
// and in v8086 mode (limit FFFF, DPL 3).
void load_real_segment(Cpu& cpu, Seg segment, u16 selector);

// MOV/POP/LxS to a data segment register or SS, in every mode, with all checks of SDM vol. 3A 5.6, 5.7.
// CS is loaded by far transfers only. Does not set the MOV SS shadow: the instruction does.
Outcome<> load_segment(Cpu& cpu, Seg segment, u16 selector);
// LLDT, LTR.
Outcome<> load_ldtr(Cpu& cpu, u16 selector);
Outcome<> load_tr(Cpu& cpu, u16 selector);
// LAR, LSL, VERR, VERW: whether the selector passes; for LAR and LSL the value.
Outcome<bool> load_access_rights(Cpu& cpu, u16 selector, u32* rights);
Outcome<bool> load_segment_limit(Cpu& cpu, u16 selector, u32* limit);
Outcome<bool> verify_segment(Cpu& cpu, u16 selector, bool write);
// After RET/IRET to an outer level: data segments that the new CPL may not use become null (SDM 3A 6.12).
void drop_inaccessible_segments(Cpu& cpu);

}  // namespace ringshift
