// Far JMP and CALL, and near targets (SDM vol. 2A JMP, CALL).
#include "cpu-model/call_gate.h"
#include "cpu-model/far_transfer.h"
#include "cpu-model/stack_frame.h"
#include "cpu-model/task_switch.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

enum class Transfer : u8 { jump, call };

Outcome<> push_return_address(Cpu& cpu, StackFrame& frame, unsigned size) {
  // As an instruction's own pushes at CPL 3, these may be misaligned (#AC).
  RS_TRY(check_alignment(cpu, static_cast<Gva>(cpu.state.segment(Seg::ss).base) + frame.esp(), size));
  RS_TRY(frame.push(cpu, cpu.state.segment(Seg::cs).selector, size));
  return frame.push(cpu, cpu.state.eip(), size);
}

Outcome<> transfer_real(Cpu& cpu, Transfer transfer, u16 selector, u32 offset, unsigned size) {
  StackFrame frame = StackFrame::current(cpu);
  if (transfer == Transfer::call) RS_TRY(push_return_address(cpu, frame, size));
  const u32 limit = cpu.v86() ? 0xffff : cpu.state.segment(Seg::cs).limit;
  if (offset > limit) return raise(Fault::gp());
  cpu.state.set_reg32(kEsp, frame.esp());
  load_real_segment(cpu, Seg::cs, selector);
  cpu.state.rip = offset;
  return {};
}

Outcome<> transfer_direct(Cpu& cpu, Transfer transfer, u16 selector, const Descriptor& descriptor, u32 offset,
                          unsigned size) {
  const SegmentRegister code = RS_TRY(direct_code_segment(cpu, selector, descriptor));
  StackFrame frame = StackFrame::current(cpu);
  if (transfer == Transfer::call) RS_TRY(push_return_address(cpu, frame, size));
  if (offset > code.limit) return raise(Fault::gp());
  cpu.state.set_reg32(kEsp, frame.esp());
  commit_code(cpu, code, offset);
  return {};
}

TaskSwitchCause cause_of(Transfer transfer) {
  return transfer == Transfer::call ? TaskSwitchCause::call : TaskSwitchCause::jump;
}

// A TSS or a task gate: DPL bounds CPL and RPL alike (SDM 3A 7.3).
Outcome<> check_task_privilege(const Cpu& cpu, u16 selector, const Descriptor& descriptor) {
  if (descriptor.dpl() < cpu.state.cpl || descriptor.dpl() < requested_level(selector))
    return raise(Fault::gp(selector_error(selector)));
  return {};
}

Outcome<> transfer_task_gate(Cpu& cpu, Transfer transfer, u16 selector, const Descriptor& gate) {
  RS_TRY(check_task_privilege(cpu, selector, gate));
  if (!gate.present()) return raise(Fault::np(selector_error(selector)));
  const u16 task = gate.gate_selector();
  const Descriptor tss = RS_TRY(task_descriptor(cpu, task, false, Vector::general_protection));
  return switch_task(cpu, task, tss, cause_of(transfer));
}

Outcome<> transfer_tss(Cpu& cpu, Transfer transfer, u16 selector, const Descriptor& descriptor) {
  RS_TRY(check_task_privilege(cpu, selector, descriptor));
  const Descriptor tss = RS_TRY(task_descriptor(cpu, selector, false, Vector::general_protection));
  return switch_task(cpu, selector, tss, cause_of(transfer));
}

Outcome<> transfer_protected(Cpu& cpu, Transfer transfer, u16 selector, u32 offset, unsigned size) {
  if (is_null_selector(selector)) return raise(Fault::gp());
  const Descriptor descriptor = RS_TRY(read_descriptor(cpu, selector));
  if (!descriptor.system()) return transfer_direct(cpu, transfer, selector, descriptor, offset, size);
  switch (descriptor.type()) {
    case kTypeCallGate16:
    case kTypeCallGate32:
      return transfer == Transfer::call ? call_through_gate(cpu, selector, descriptor)
                                        : jump_through_gate(cpu, selector, descriptor);
    case kTypeTaskGate:
      return transfer_task_gate(cpu, transfer, selector, descriptor);
    case kTypeTss16:
    case kTypeTss32:
      return transfer_tss(cpu, transfer, selector, descriptor);
    default:
      return raise(Fault::gp(selector_error(selector)));
  }
}

Outcome<> transfer(Cpu& cpu, Transfer kind, u16 selector, u32 offset, unsigned size) {
  if (size == 2) offset &= 0xffff;
  return cpu.real_segments() ? transfer_real(cpu, kind, selector, offset, size)
                             : transfer_protected(cpu, kind, selector, offset, size);
}

}  // namespace

Outcome<> far_jump(Cpu& cpu, u16 selector, u32 offset, unsigned operand_size) {
  return transfer(cpu, Transfer::jump, selector, offset, operand_size);
}

Outcome<> far_call(Cpu& cpu, u16 selector, u32 offset, unsigned operand_size) {
  return transfer(cpu, Transfer::call, selector, offset, operand_size);
}

Outcome<> near_jump(Cpu& cpu, u32 offset) {
  if (offset > cpu.state.segment(Seg::cs).limit) return raise(Fault::gp());
  cpu.state.rip = offset;
  return {};
}

}  // namespace ringshift
