// IRET in every mode (SDM vol. 2A IRET).
#include "cpu-model/far_transfer.h"
#include "cpu-model/stack_frame.h"
#include "cpu-model/task_switch.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

constexpr u32 kCommonFlags = kArithmeticFlags | kFlagTf | kFlagDf | kFlagNt;
constexpr u32 kWideFlags = kFlagRf | kFlagAc | kFlagId;
constexpr u32 kAllFlags = kCommonFlags | kWideFlags | kFlagIf | kFlagIopl | kFlagVm | kFlagVif | kFlagVip;

struct Frame {
  u32 eip;
  u16 cs;
  u32 flags;
};

Outcome<Frame> pop_frame(Cpu& cpu, StackReader& stack, unsigned size) {
  Frame frame;
  frame.eip = RS_TRY(stack.pop(cpu, size));
  frame.cs = RS_TRY(stack.pop_selector(cpu, size));
  frame.flags = RS_TRY(stack.pop(cpu, size));
  return frame;
}

// Takes the bits of `changes` from the image, and has the engine look for what IF or TF let through.
void load_flags(Cpu& cpu, u32 image, u32 changes) {
  const u32 old = cpu.state.eflags();
  const u32 flags = (old & ~changes) | (image & changes) | kFlagFixed;
  cpu.state.rflags = flags;
  if ((flags & ~old & (kFlagIf | kFlagTf)) != 0) cpu.control.raise_event(kEventInspect);
}

// The bits that IRET may change at the level it is executed at.
u32 changeable_flags(const Cpu& cpu, unsigned size) {
  const bool wide = size == 4;
  u32 changes = kCommonFlags | (wide ? kWideFlags : 0);
  if (cpu.state.cpl <= cpu.iopl()) changes |= kFlagIf;
  if (cpu.state.cpl == 0) changes |= kFlagIopl | (wide ? kFlagVif | kFlagVip : 0);
  return changes;
}

Outcome<> return_real(Cpu& cpu, unsigned size) {
  StackReader stack(cpu);
  const Frame frame = RS_TRY(pop_frame(cpu, stack, size));
  if (frame.eip > cpu.state.segment(Seg::cs).limit) return raise(Fault::gp());
  set_stack_pointer(cpu, stack.pointer());
  load_real_segment(cpu, Seg::cs, frame.cs);
  cpu.state.rip = frame.eip;
  load_flags(cpu, frame.flags, kCommonFlags | kFlagIf | kFlagIopl | (size == 4 ? kWideFlags : 0));
  return {};
}

// In v8086 mode below IOPL 3: with VME a 16-bit IRET takes IF's image for VIF (SDM 3B 20.3.3.4).
Outcome<> check_virtual_flags(const Cpu& cpu, u32 image) {
  const bool waiting = (cpu.state.rflags & kFlagVip) != 0 && (image & kFlagIf) != 0;
  if (waiting || (image & kFlagTf) != 0) return raise(Fault::gp());
  return {};
}

Outcome<> return_within_v86(Cpu& cpu, unsigned size) {
  const bool full = cpu.iopl() == 3;
  if (!full && (size != 2 || (cpu.state.cr4 & kCr4Vme) == 0)) return raise(Fault::gp());
  StackReader stack(cpu);
  const Frame frame = RS_TRY(pop_frame(cpu, stack, size));
  if (!full) RS_TRY(check_virtual_flags(cpu, frame.flags));
  if (frame.eip > 0xffff) return raise(Fault::gp());
  set_stack_pointer(cpu, stack.pointer());
  load_real_segment(cpu, Seg::cs, frame.cs);
  cpu.state.rip = frame.eip;
  if (full) {
    load_flags(cpu, frame.flags, kCommonFlags | kFlagIf | (size == 4 ? kWideFlags : 0));
  } else {
    const u32 vif = (frame.flags & kFlagIf) != 0 ? kFlagVif : 0;
    load_flags(cpu, (frame.flags & ~kFlagVif) | vif, kCommonFlags | kFlagVif);
  }
  return {};
}

// NT: back to the task that the current TSS links to (SDM 3A 7.4).
Outcome<> return_to_task(Cpu& cpu) {
  const SegmentRegister& tr = cpu.state.tr;
  if (!tr.usable() || tr.limit < 1) return raise(Fault::ts(selector_error(tr.selector)));
  const u16 link = RS_TRY(read_system<u16>(cpu, static_cast<Gva>(tr.base)));
  const Descriptor tss = RS_TRY(task_descriptor(cpu, link, true, Vector::invalid_tss));
  return switch_task(cpu, link, tss, TaskSwitchCause::iret);
}

Outcome<> return_to_v86(Cpu& cpu, StackReader& stack, const Frame& frame) {
  const u32 esp = RS_TRY(stack.pop(cpu, 4));
  const u16 ss = RS_TRY(stack.pop_selector(cpu, 4));
  u16 data[4];
  for (u16& selector : data) selector = RS_TRY(stack.pop_selector(cpu, 4));
  if (frame.eip > 0xffff) return raise(Fault::gp());
  load_flags(cpu, frame.flags, kAllFlags);
  cpu.state.cpl = 3;
  load_real_segment(cpu, Seg::cs, frame.cs);
  load_real_segment(cpu, Seg::ss, ss);
  load_real_segment(cpu, Seg::es, data[0]);
  load_real_segment(cpu, Seg::ds, data[1]);
  load_real_segment(cpu, Seg::fs, data[2]);
  load_real_segment(cpu, Seg::gs, data[3]);
  cpu.state.set_reg32(kEsp, esp);
  cpu.state.rip = frame.eip;
  return {};
}

Outcome<> return_outer(Cpu& cpu, StackReader& stack, const Frame& frame, const SegmentRegister& code,
                       unsigned size) {
  const u32 esp = RS_TRY(stack.pop(cpu, size));
  const u16 ss = RS_TRY(stack.pop_selector(cpu, size));
  if (is_null_selector(ss)) return raise(Fault::gp());
  const u8 level = requested_level(code.selector);
  const SegmentRegister outer = RS_TRY(stack_segment(cpu, ss, level, Vector::general_protection));
  if (frame.eip > code.limit) return raise(Fault::gp());
  load_flags(cpu, frame.flags, changeable_flags(cpu, size));
  // A 16-bit outer stack takes SP alone; ESP's upper half stays, as on hardware.
  cpu.state.segment(Seg::ss) = outer;
  set_stack_pointer(cpu, esp);
  commit_code(cpu, code, frame.eip);
  drop_inaccessible_segments(cpu);
  return {};
}

Outcome<> return_protected(Cpu& cpu, unsigned size) {
  if ((cpu.state.rflags & kFlagNt) != 0) return return_to_task(cpu);
  StackReader stack(cpu);
  const Frame frame = RS_TRY(pop_frame(cpu, stack, size));
  if (size == 4 && cpu.state.cpl == 0 && (frame.flags & kFlagVm) != 0)
    return return_to_v86(cpu, stack, frame);
  const SegmentRegister code = RS_TRY(return_code_segment(cpu, frame.cs));
  if (requested_level(frame.cs) > cpu.state.cpl) return return_outer(cpu, stack, frame, code, size);
  if (frame.eip > code.limit) return raise(Fault::gp());
  load_flags(cpu, frame.flags, changeable_flags(cpu, size));
  set_stack_pointer(cpu, stack.pointer());
  commit_code(cpu, code, frame.eip);
  return {};
}

}  // namespace

Outcome<> interrupt_return(Cpu& cpu, unsigned operand_size) {
  if (!cpu.protected_mode()) {
    RS_TRY(return_real(cpu, operand_size));
  } else if (cpu.v86()) {
    RS_TRY(return_within_v86(cpu, operand_size));
  } else {
    RS_TRY(return_protected(cpu, operand_size));
  }
  if (cpu.state.nmi_masked && cpu.state.nmi_pending) cpu.control.raise_event(kEventInspect);
  cpu.state.nmi_masked = 0;
  return {};
}

}  // namespace ringshift
