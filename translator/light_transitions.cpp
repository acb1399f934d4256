// The light helpers. Compiled with -mgeneral-regs-only; inline functions only.
#include "translator/light_transitions.h"

#include "cpu-model/descriptor_memo.h"
#include "cpu-model/msr.h"
#include "cpu-model/sysenter.h"
#include "cpu-model/transfer_segments.h"
#include "translator/mode_switch.h"

namespace ringshift::bt {

namespace {

using Use = DescriptorMemo::Use;

// State is as the instruction leaves it, RIP included. In a mode that was entered before, the jump table
// knows the block; else, or when something is pending, the dispatcher finds out.
const u8* go_on(BtContext& context, ModeKey mode) {
  const bool pending = context.quiet.load(std::memory_order_acquire) == 0;
  if (pending || !mode.translatable() || !context.modes->enter_again(mode)) return context.to_dispatcher;
  return context.to_lookup;
}

// The same from amid a block.
const u8* leave_block(BtContext& context, const InterpretSite& site, ModeKey mode) {
  context.budget += site.unexecuted - 1;  // translator/exact_count.h
  context.left_amid = true;
  return go_on(context, mode);
}

// After an instruction that its block may go on behind, but doesn't.
const u8* leave_after(BtContext& context, const InterpretSite& site, ModeKey mode) {
  context.state->rip = static_cast<u32>(context.state->rip + site.decoded.insn.length);
  return leave_block(context, site, mode);
}

// Where go_on or leave_block has sent it: into translated code RF is cleared, as behind an instruction. It
// holds off instruction breakpoints for one (SDM vol. 3B 17.3.1.1), and no translated code has any. An
// interrupt that comes first saves it.
const u8* clear_rf(BtContext& context, const u8* next) {
  VcpuState& state = *context.state;
  if ((state.rflags & kFlagRf) == 0 || next != context.to_lookup) return next;
  if (context.exact_rf) return context.to_dispatcher;
  state.rflags &= ~u64{kFlagRf};
  return next;
}

bool plain_protected(const VcpuState& state) {
  return (state.cr0 & kCr0Pe) != 0 && (state.rflags & (kFlagVm | kFlagTf)) == 0;
}

const SegmentRegister* known_segment(BtContext& context, Use use, u32 selector, u8 cpl) {
  return context.memo->find(*context.cpu, use, static_cast<u16>(selector), cpl);
}

}  // namespace

[[gnu::flatten]] const u8* light_load_segment(BtContext* context, const InterpretSite* site, u32 selector,
                                              u32 info) {
  VcpuState& state = *context->state;
  if (!plain_protected(state)) return context->to_interpreter;
  const SegmentRegister* const value = known_segment(*context, Use::data, selector, state.cpl);
  if (value == nullptr) return context->to_interpreter;
  const Seg segment = static_cast<Seg>(info & 7);
  state.segment(segment) = *value;
  if ((info & kLightPop) != 0) state.set_reg32(kEsp, state.reg32(kEsp) + 4);
  const ModeKey before = context->modes->mode();
  const ModeKey mode = before.with_shape(segment, shape_of(*value, segment, SegmentRules::descriptors));
  if (mode == before && site->resume != nullptr) return site->resume;
  return leave_after(*context, *site, mode);
}

[[gnu::flatten]] const u8* light_sysenter(BtContext* context, const InterpretSite*, u32, u32) {
  Cpu& cpu = *context->cpu;
  if (!plain_protected(cpu.state) || !sysenter(cpu)) return context->to_interpreter;
  return go_on(*context, context->modes->key_now());
}

[[gnu::flatten]] const u8* light_sysexit(BtContext* context, const InterpretSite*, u32, u32) {
  Cpu& cpu = *context->cpu;
  if (!plain_protected(cpu.state) || !sysexit(cpu)) return context->to_interpreter;
  return go_on(*context, context->modes->key_now());
}

namespace {

struct ReturnFrame {
  u32 eip, cs, flags, esp, ss;
};

// The frame at the top of a flat 32-bit stack, if all five words are in a page that can be read plainly.
const ReturnFrame* return_frame(const Cpu& cpu) {
  const VcpuState& state = cpu.state;
  if (!flat_stack(state.segment(Seg::ss))) return nullptr;
  return reinterpret_cast<const ReturnFrame*>(
      cpu.tlb.plain_read(state.reg32(kEsp), sizeof(ReturnFrame), cpu.user()));
}

}  // namespace

// IRETD from CPL 0 that changes IF, RF and the arithmetic flags at most, to CPL 0 or 3 (SDM vol. 2A IRET).
// Faults set RF in their frames.
[[gnu::flatten]] const u8* light_iret(BtContext* context, const InterpretSite*, u32, u32) {
  Cpu& cpu = *context->cpu;
  VcpuState& state = cpu.state;
  constexpr u32 kChanged = kArithmeticFlags | kFlagIf;
  constexpr u32 kKept =
      kFlagTf | kFlagDf | kFlagIopl | kFlagNt | kFlagVm | kFlagAc | kFlagVif | kFlagVip | kFlagId;
  const bool usual =
      plain_protected(state) && state.cpl == 0 && (state.rflags & kFlagNt) == 0 && state.nmi_masked == 0;
  const ReturnFrame* const stack = usual ? return_frame(cpu) : nullptr;
  if (stack == nullptr) return context->to_interpreter;
  const ReturnFrame frame = *stack;
  if (((frame.flags ^ state.eflags()) & kKept) != 0) return context->to_interpreter;
  if ((frame.flags & kFlagRf) != 0 && context->exact_rf) return context->to_interpreter;
  const SegmentRegister* const code = known_segment(*context, Use::return_code, frame.cs, 0);
  if (code == nullptr || frame.eip > code->limit) return context->to_interpreter;
  const bool outward = requested_level(code->selector) != 0;
  u32 esp = state.reg32(kEsp) + 12;
  if (outward) {
    const SegmentRegister* const ss = known_segment(*context, Use::return_stack, frame.ss, 0);
    const bool to_user = requested_level(code->selector) == 3;
    const bool same_level = requested_level(static_cast<u16>(frame.ss)) == 3;
    if (ss == nullptr || !to_user || !same_level || (ss->attributes & kSegBig) == 0 ||
        !keeps_data_segments(state, 3))
      return context->to_interpreter;
    state.segment(Seg::ss) = *ss;
    esp = frame.esp;
  }
  constexpr u32 kTaken = kChanged | kFlagRf;
  state.rflags = (state.eflags() & ~kTaken) | (frame.flags & kTaken) | kFlagFixed;
  state.set_reg32(kEsp, esp);
  commit_code(cpu, *code, frame.eip);
  return clear_rf(*context, go_on(*context, context->modes->key_now()));
}

// TS decides whether x87 and SSE instructions may execute, which the next mode says; nothing is flushed for
// it.
[[gnu::flatten]] const u8* light_cr0(BtContext* context, const InterpretSite* site, u32 value, u32 info) {
  VcpuState& state = *context->state;
  const u32 old = static_cast<u32>(state.cr0);
  if ((info & kLightClts) != 0) value = old & ~kCr0Ts;
  if (!plain_protected(state) || state.cpl != 0 || ((value ^ old) & ~kCr0Ts) != 0)
    return context->to_interpreter;
  state.cr0 = value;
  state.rip = static_cast<u32>(state.rip + site->decoded.insn.length);
  return go_on(*context, context->modes->key_now());
}

[[gnu::flatten]] const u8* light_cpuid(BtContext* context, const InterpretSite* site, u32, u32) {
  VcpuState& state = *context->state;
  const CpuidRegisters answer = execute_cpuid(*context->cpu, state.reg32(kEax), state.reg32(kEcx));
  state.set_reg32(kEax, answer.eax);
  state.set_reg32(kEbx, answer.ebx);
  state.set_reg32(kEcx, answer.ecx);
  state.set_reg32(kEdx, answer.edx);
  if (site->resume != nullptr) return site->resume;
  return leave_after(*context, *site, context->modes->mode());
}

[[gnu::flatten]] const u8* light_software_interrupt(BtContext* context, const InterpretSite* site, u32,
                                                    u32 vector) {
  VcpuState& state = *context->state;
  DeliveryHook* const hook = context->cpu->delivery_hook;
  if (hook == nullptr || hook->light_software == nullptr || !plain_protected(state))
    return context->to_interpreter;
  const u64 eip = state.rip;
  state.rip = static_cast<u32>(eip + site->decoded.insn.length);
  const DeliveryHook::Light done = hook->light_software(*hook, static_cast<u8>(vector));
  if (done == DeliveryHook::Light::refused) {
    state.rip = eip;
    return context->to_interpreter;
  }
  if (done == DeliveryHook::Light::next && site->resume != nullptr) return site->resume;
  return clear_rf(*context, leave_block(*context, *site, context->modes->key_now()));
}

}  // namespace ringshift::bt
