// Who may change which flag: IOPL, v8086, VME and PVI (SDM vol. 3A 20.3; vol. 2 PUSHF, POPF, CLI, STI).
#include "cpu-model/eflags.h"

#include "base/bits.h"
#include "cpu-model/memory_access.h"
#include "cpu-model/segmentation.h"

namespace ringshift {

namespace {

// How far the current code's reach to IF goes.
enum class InterruptFlagAccess : u8 { real, is_virtual, forbidden };

InterruptFlagAccess interrupt_flag_access(const Cpu& cpu) {
  if (!cpu.protected_mode()) return InterruptFlagAccess::real;
  if (cpu.v86()) {
    if (cpu.iopl() == 3) return InterruptFlagAccess::real;
    return (cpu.state.cr4 & kCr4Vme) != 0 ? InterruptFlagAccess::is_virtual : InterruptFlagAccess::forbidden;
  }
  if (cpu.state.cpl <= cpu.iopl()) return InterruptFlagAccess::real;
  const bool pvi = (cpu.state.cr4 & kCr4Pvi) != 0 && cpu.state.cpl == 3;
  return pvi ? InterruptFlagAccess::is_virtual : InterruptFlagAccess::forbidden;
}

// PUSHF and POPF in v8086 mode with IOPL < 3: with VME and 16-bit operands on a virtual IF, else #GP.
Outcome<bool> virtual_flags(const Cpu& cpu, unsigned operand_size) {
  if (!cpu.v86() || cpu.iopl() == 3) return false;
  if ((cpu.state.cr4 & kCr4Vme) == 0 || operand_size != 2) return raise(Fault::gp());
  return true;
}

// Puts new flags in; where IF or TF became set, engines must look before the next instruction.
void put_flags(Cpu& cpu, u32 flags) {
  const u32 set = flags & ~cpu.state.eflags();
  cpu.state.rflags = flags;
  if ((set & (kFlagIf | kFlagTf)) != 0) cpu.control.raise_event(kEventInspect);
}

// The bits that POPF may change, for all but the virtual form.
u32 poppable_flags(const Cpu& cpu, unsigned operand_size) {
  u32 mask = kArithmeticFlags | kFlagTf | kFlagDf | kFlagNt;
  if (operand_size == 4) mask |= kFlagAc | kFlagId;
  if (cpu.state.cpl == 0) mask |= kFlagIopl;
  if (interrupt_flag_access(cpu) == InterruptFlagAccess::real) mask |= kFlagIf;
  return mask;
}

Outcome<> pop_virtual_flags(Cpu& cpu, u32 image) {
  const u32 old = cpu.state.eflags();
  if ((image & kFlagTf) != 0 || ((image & kFlagIf) != 0 && (old & kFlagVip) != 0)) return raise(Fault::gp());
  constexpr u32 kMask = kArithmeticFlags | kFlagTf | kFlagDf | kFlagNt;
  const u32 vif = (image & kFlagIf) != 0 ? kFlagVif : 0;
  put_flags(cpu, (old & ~(kMask | kFlagVif)) | (image & kMask) | vif);
  return {};
}

}  // namespace

Outcome<u32> flags_for_push(const Cpu& cpu, unsigned operand_size) {
  const bool is_virtual = RS_TRY(virtual_flags(cpu, operand_size));
  u32 image = cpu.state.eflags() & ~(kFlagVm | kFlagRf);
  if (is_virtual) {
    const u32 vif = (image & kFlagVif) != 0 ? kFlagIf : 0;
    image = (image & ~kFlagIf) | vif | kFlagIopl;
  }
  return operand_size == 2 ? image & 0xffff : image;
}

Outcome<> flags_from_pop(Cpu& cpu, u32 image, unsigned operand_size) {
  if (RS_TRY(virtual_flags(cpu, operand_size))) return pop_virtual_flags(cpu, image);
  const u32 mask = poppable_flags(cpu, operand_size);
  u32 flags = (cpu.state.eflags() & ~mask) | (image & mask) | kFlagFixed;
  if (operand_size == 4) flags &= ~kFlagRf;
  put_flags(cpu, flags);
  return {};
}

Outcome<> clear_interrupt_flag(Cpu& cpu) {
  switch (interrupt_flag_access(cpu)) {
    case InterruptFlagAccess::real:
      cpu.state.rflags &= ~u64{kFlagIf};
      return {};
    case InterruptFlagAccess::is_virtual:
      cpu.state.rflags &= ~u64{kFlagVif};
      return {};
    default:
      return raise(Fault::gp());
  }
}

Outcome<> set_interrupt_flag(Cpu& cpu) {
  switch (interrupt_flag_access(cpu)) {
    case InterruptFlagAccess::real:
      if ((cpu.state.rflags & kFlagIf) != 0) return {};
      put_flags(cpu, cpu.state.eflags() | kFlagIf);
      cpu.state.interrupt_shadow |= kShadowSti;
      return {};
    case InterruptFlagAccess::is_virtual:
      if ((cpu.state.rflags & kFlagVip) != 0) return raise(Fault::gp());
      cpu.state.rflags |= kFlagVif;
      return {};
    default:
      return raise(Fault::gp());
  }
}

Outcome<> check_port_permission(Cpu& cpu, u16 port, unsigned size) {
  if (!cpu.protected_mode()) return {};
  if (!cpu.v86() && cpu.state.cpl <= cpu.iopl()) return {};
  const SegmentRegister& tr = cpu.state.tr;
  constexpr u32 kMapBaseOffset = 0x66;
  constexpr u32 kTss32Limit = 0x67;
  const u32 type = tr.attributes & kSegTypeMask;
  if (!tr.usable() || (type != kTypeTss32 && type != kTypeTss32Busy) || tr.limit < kTss32Limit)
    return raise(Fault::gp());
  const Gva base = static_cast<Gva>(tr.base);
  const u32 map = RS_TRY(read_system<u16>(cpu, base + kMapBaseOffset));
  // Two bytes are read always, since a port's bits may straddle; both must be inside the limit.
  const u32 at = map + port / 8;
  if (at + 1 > tr.limit) return raise(Fault::gp());
  const u32 bits = RS_TRY(read_system<u16>(cpu, base + at));
  const u32 wanted = ((1u << size) - 1) << (port % 8);
  if ((bits & wanted) != 0) return raise(Fault::gp());
  return {};
}

}  // namespace ringshift
