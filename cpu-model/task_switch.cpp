// Hardware task switches (SDM vol. 3A 7.3).
#include "cpu-model/task_switch.h"

#include "cpu-model/exceptions.h"
#include "cpu-model/stack.h"
#include "cpu-model/task_segments.h"
#include "cpu-model/task_switch_steps.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

constexpr u32 kBusy = 1u << 9;            // in a TSS descriptor's upper half
constexpr u32 kDr7LocalEnables = 0x155;   // L0-L3 and LE are the task's (SDM 3B 17.2.4)
constexpr u32 kDr6TaskSwitch = 1u << 15;  // BT
constexpr u32 kTaskFlags = kArithmeticFlags | kFlagTf | kFlagIf | kFlagDf | kFlagIopl | kFlagNt | kFlagRf |
                           kFlagVm | kFlagAc | kFlagVif | kFlagVip | kFlagId;

bool nests(TaskSwitchCause cause) {
  return cause == TaskSwitchCause::call || cause == TaskSwitchCause::interrupt;
}

Outcome<> probe_descriptor(Cpu& cpu, u16 selector) {
  return probe_write_slow(cpu, descriptor_address(cpu, selector) + 4, 4, false);
}

// Everything that may fault while the old task is still whole.
Outcome<TaskState> prepare(Cpu& cpu, u16 selector, const Descriptor& descriptor, TaskSwitchCause cause) {
  const SegmentRegister& old = cpu.state.tr;
  const bool wide = wide_task(descriptor.type());
  const bool old_wide = wide_task(old.attributes & kSegTypeMask);
  if (descriptor.limit() < minimum_task_limit(wide)) return raise(Fault::ts(selector_error(selector)));
  if (!old.usable() || old.limit < minimum_task_limit(old_wide))
    return raise(Fault::ts(selector_error(old.selector)));
  const TaskState task = RS_TRY(read_task(cpu, descriptor.base(), wide));
  RS_TRY(probe_task_save(cpu, static_cast<Gva>(old.base), old_wide));
  if (nests(cause)) RS_TRY(probe_write_slow(cpu, descriptor.base(), 2, false));
  if (cause != TaskSwitchCause::iret) RS_TRY(probe_descriptor(cpu, selector));
  if (!nests(cause)) {
    if (selector_error(old.selector) + 7 > cpu.state.gdtr.limit)
      return raise(Fault::ts(selector_error(old.selector)));
    RS_TRY(probe_descriptor(cpu, old.selector));
  }
  return task;
}

Outcome<> set_busy(Cpu& cpu, u16 selector, bool busy) {
  const Gva at = descriptor_address(cpu, selector) + 4;
  const u32 high = RS_TRY(read_system<u32>(cpu, at));
  return write_system<u32>(cpu, at, busy ? high | kBusy : high & ~kBusy);
}

// Steps 4 to 9 of SDM 3A 7.3, all in memory.
Outcome<> save_old_task(Cpu& cpu, u16 selector, const Descriptor& descriptor, TaskSwitchCause cause,
                        u32 flags) {
  const SegmentRegister& old = cpu.state.tr;
  const bool old_wide = wide_task(old.attributes & kSegTypeMask);
  if (cause == TaskSwitchCause::iret) flags &= ~kFlagNt;
  if (!nests(cause)) RS_TRY(set_busy(cpu, old.selector, false));
  RS_TRY(save_task(cpu, static_cast<Gva>(old.base), old_wide, flags));
  if (nests(cause)) RS_TRY(write_system<u16>(cpu, descriptor.base(), old.selector));
  if (cause != TaskSwitchCause::iret) RS_TRY(set_busy(cpu, selector, true));
  return {};
}

// The commit point: from here on the CPU is in the new task.
void enter_task(Cpu& cpu, u16 selector, Descriptor descriptor, const TaskState& task, TaskSwitchCause cause) {
  VcpuState& state = cpu.state;
  descriptor.high |= kBusy;
  state.tr = segment_from(selector, descriptor);
  state.cr0 |= kCr0Ts;
  state.dr[7] &= ~u64{kDr7LocalEnables};
  state.rip = task.eip;
  state.rflags = (task.eflags & kTaskFlags) | kFlagFixed | (nests(cause) ? kFlagNt : 0);
  for (unsigned i = 0; i < 8; ++i) state.set_reg32(i, task.gpr[i]);
  state.interrupt_shadow = 0;
  if (task.debug_trap) state.pending_dr6 |= kDr6TaskSwitch;
  place_task_selectors(cpu, task);
  cpu.control.raise_event(kEventInspect);
}

Outcome<> load_address_space(Cpu& cpu, const Descriptor& descriptor, const TaskState& task) {
  // A 16-bit TSS has no CR3; without paging it isn't loaded (7.2.1).
  if (!wide_task(descriptor.type()) || !cpu.paging()) return {};
  RS_TRY(load_pdptes(cpu, task.cr3));
  cpu.state.cr3 = task.cr3;
  cpu.flush_address_space();
  return {};
}

}  // namespace

Outcome<TaskState> begin_task_switch(Cpu& cpu, u16 selector, const Descriptor& descriptor,
                                     TaskSwitchCause cause, u32 saved_flags) {
  const TaskState task = RS_TRY(prepare(cpu, selector, descriptor, cause));
  RS_TRY(save_old_task(cpu, selector, descriptor, cause, saved_flags));
  enter_task(cpu, selector, descriptor, task, cause);
  return task;
}

Outcome<> complete_task_switch(Cpu& cpu, const Descriptor& descriptor, const TaskState& task,
                               std::optional<u32> error_code) {
  RS_TRY(load_address_space(cpu, descriptor, task));
  RS_TRY(load_task_segments(cpu, task));
  if (error_code) RS_TRY(push(cpu, *error_code, wide_task(descriptor.type()) ? 4 : 2));
  if (cpu.state.eip() > cpu.state.segment(Seg::cs).limit) return raise(Fault::gp());
  return {};
}

Outcome<> switch_task(Cpu& cpu, u16 selector, const Descriptor& descriptor, TaskSwitchCause cause,
                      std::optional<u32> error_code) {
  const TaskState task = RS_TRY(begin_task_switch(cpu, selector, descriptor, cause, cpu.state.eflags()));
  const Outcome<> done = complete_task_switch(cpu, descriptor, task, error_code);
  // An interrupt's delivery must know of the fault, to make it a double fault. The others are instructions of
  // the old task, which have ended: a caller that put registers back on a fault would undo the switch.
  if (!done && cause != TaskSwitchCause::interrupt) {
    deliver_fault(cpu, done.error());
    return {};
  }
  return done;
}

Outcome<InnerStack> inner_stack(Cpu& cpu, unsigned level) {
  const SegmentRegister& tr = cpu.state.tr;
  const bool wide = wide_task(tr.attributes & kSegTypeMask);
  const u32 offset = wide ? 4 + 8 * level : 2 + 4 * level;
  const u32 last = offset + (wide ? 5 : 3);
  if (!tr.usable() || last > tr.limit) return raise(Fault::ts(selector_error(tr.selector)));
  const Gva at = static_cast<Gva>(tr.base) + offset;
  if (wide) {
    const u32 esp = RS_TRY(read_system<u32>(cpu, at));
    return InnerStack{RS_TRY(read_system<u16>(cpu, at + 4)), esp};
  }
  const u16 sp = RS_TRY(read_system<u16>(cpu, at));
  return InnerStack{RS_TRY(read_system<u16>(cpu, at + 2)), sp};
}

}  // namespace ringshift
