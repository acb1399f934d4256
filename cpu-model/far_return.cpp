// Far RET (SDM vol. 2B RET).
#include "cpu-model/far_transfer.h"
#include "cpu-model/stack_frame.h"
#include "cpu-model/transfer_segments.h"

namespace ringshift {

namespace {

Outcome<> return_real(Cpu& cpu, StackReader& stack, u16 selector, u32 eip, u16 release) {
  const u32 limit = cpu.v86() ? 0xffff : cpu.state.segment(Seg::cs).limit;
  if (eip > limit) return raise(Fault::gp());
  stack.skip(release);
  set_stack_pointer(cpu, stack.pointer());
  load_real_segment(cpu, Seg::cs, selector);
  cpu.state.rip = eip;
  return {};
}

// Both stacks hold the parameters: `release` is dropped from each.
Outcome<> return_outer(Cpu& cpu, StackReader& stack, const SegmentRegister& code, u32 eip, unsigned size,
                       u16 release) {
  stack.skip(release);
  const u32 esp = RS_TRY(stack.pop(cpu, size));
  const u16 ss = RS_TRY(stack.pop_selector(cpu, size));
  if (is_null_selector(ss)) return raise(Fault::gp());
  const u8 level = requested_level(code.selector);
  const SegmentRegister outer = RS_TRY(stack_segment(cpu, ss, level, Vector::general_protection));
  if (eip > code.limit) return raise(Fault::gp());
  cpu.state.segment(Seg::ss) = outer;
  set_stack_pointer(cpu, esp + release);
  commit_code(cpu, code, eip);
  drop_inaccessible_segments(cpu);
  return {};
}

}  // namespace

Outcome<> far_return(Cpu& cpu, unsigned operand_size, u16 release) {
  StackReader stack(cpu);
  const u32 eip = RS_TRY(stack.pop(cpu, operand_size));
  const u16 selector = RS_TRY(stack.pop_selector(cpu, operand_size));
  if (cpu.real_segments()) return return_real(cpu, stack, selector, eip, release);

  const SegmentRegister code = RS_TRY(return_code_segment(cpu, selector));
  if (requested_level(selector) > cpu.state.cpl)
    return return_outer(cpu, stack, code, eip, operand_size, release);
  if (eip > code.limit) return raise(Fault::gp());
  stack.skip(release);
  set_stack_pointer(cpu, stack.pointer());
  commit_code(cpu, code, eip);
  return {};
}

}  // namespace ringshift
