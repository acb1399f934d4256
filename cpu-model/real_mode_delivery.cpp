// Delivery through a vector table of 8086 form: real-address mode, and v8086 mode with VME.
#include "cpu-model/event_delivery.h"
#include "cpu-model/stack_frame.h"

namespace ringshift {

namespace {

constexpr u32 kTssIoMapBase = 102;

// The frame, then CS:IP of the handler. flags: the image that is pushed.
Outcome<> enter_8086_handler(Cpu& cpu, u32 far_pointer, u32 flags, u64 cleared) {
  const u32 offset = far_pointer & 0xffff;
  StackFrame frame = StackFrame::current(cpu);
  RS_TRY(frame.push(cpu, flags, 2));
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::cs).selector, 2));
  RS_TRY(frame.push(cpu, cpu.state.eip(), 2));
  if (offset > cpu.state.segment(Seg::cs).limit) return raise(Fault::gp());
  cpu.state.set_reg32(kEsp, frame.esp());
  load_real_segment(cpu, Seg::cs, static_cast<u16>(far_pointer >> 16));
  cpu.state.rip = offset;
  cpu.state.rflags &= ~cleared;
  return {};
}

}  // namespace

// SDM vol. 3B 20.1.4. No error codes; a table that is too short is #GP, and so at last a shutdown.
Outcome<> deliver_real_mode(Cpu& cpu, u8 vector) {
  const u32 entry = vector * 4u;
  if (entry + 3 > cpu.state.idtr.limit) return raise(Fault::gp(vector * 8u + 2));
  const u32 target = RS_TRY(read_system<u32>(cpu, static_cast<Gva>(cpu.state.idtr.base) + entry));
  return enter_8086_handler(cpu, target, cpu.state.eflags(), kFlagIf | kFlagTf | kFlagAc | kFlagRf);
}

Outcome<bool> redirected_to_8086(Cpu& cpu, u8 vector) {
  // The 32 bytes below the I/O map, bit 0 for redirected (SDM 3B 20.3.3).
  const SegmentRegister& tr = cpu.state.tr;
  const bool tss32 = tr.usable() && (tr.attributes & kSegTypeMask) == kTypeTss32Busy;
  if (!tss32 || tr.limit < kTssIoMapBase + 1) return raise(Fault::gp());
  const Gva base = static_cast<Gva>(tr.base);
  const u32 io_map = RS_TRY(read_system<u16>(cpu, base + kTssIoMapBase));
  if (io_map < 32) return raise(Fault::gp());
  const u32 at = io_map - 32 + vector / 8;
  if (at > tr.limit) return raise(Fault::gp());
  const u8 bits = RS_TRY(read_system<u8>(cpu, base + at));
  return !has_bit(bits, vector % 8);
}

// Methods 5 and 6 of SDM 3B 20.3: below IOPL 3 the program sees VIF where IF would be.
Outcome<> deliver_to_8086_handler(Cpu& cpu, u8 vector) {
  const u32 target = RS_TRY(read_linear<u32>(cpu, vector * 4u, true));
  u32 flags = cpu.state.eflags();
  if (cpu.iopl() == 3) return enter_8086_handler(cpu, target, flags, kFlagIf | kFlagTf);
  flags |= kFlagIopl;
  flags = (flags & kFlagVif) != 0 ? flags | kFlagIf : flags & ~kFlagIf;
  return enter_8086_handler(cpu, target, flags, kFlagVif | kFlagTf);
}

}  // namespace ringshift
