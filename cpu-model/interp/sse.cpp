// MMX and SSE data processing: every instruction is executed by the host on copies of the guest's registers
// and of its memory operand.
#include "cpu-model/interp/sse.h"

#include <Zydis/Zydis.h>

#include "cpu-model/interp/dot_product.h"
#include "cpu-model/interp/fpu.h"
#include "cpu-model/interp/sse_table.h"

namespace ringshift {

namespace {

// 16-byte memory operands that may stand anywhere; of all others the address must be a multiple of 16.
bool unaligned_allowed(unsigned mnemonic) {
  switch (mnemonic) {
    case ZYDIS_MNEMONIC_MOVUPS:
    case ZYDIS_MNEMONIC_MOVUPD:
    case ZYDIS_MNEMONIC_MOVDQU:
    case ZYDIS_MNEMONIC_LDDQU:
    case ZYDIS_MNEMONIC_PCMPESTRI:
    case ZYDIS_MNEMONIC_PCMPESTRM:
    case ZYDIS_MNEMONIC_PCMPISTRI:
    case ZYDIS_MNEMONIC_PCMPISTRM:
      return true;
    default:
      return false;
  }
}

struct Shape {
  bool mmx = false;
  bool xmm = false;
  bool memory = false;
  bool store = false;  // the memory operand is the first one
  bool aligned = false;
  u32 size = 0;
};

Shape shape_of(const Instruction& insn) {
  Shape shape;
  for (unsigned i = 0; i < insn.operand_count; ++i) {
    const Operand& operand = insn.operands[i];
    if (operand.kind == OperandKind::mmx) shape.mmx = true;
    if (operand.kind == OperandKind::xmm) shape.xmm = true;
    if (operand.kind != OperandKind::memory) continue;
    shape.memory = true;
    shape.store = i == 0;
    shape.size = operand.bytes;
    shape.aligned = operand.bytes == 16 && !unaligned_allowed(insn.mnemonic);
  }
  if (insn.mnemonic == ZYDIS_MNEMONIC_EMMS) shape.mmx = true;
  return shape;
}

// The x87 part only for instructions that use it: otherwise it may hold a pending exception.
void load_vectors(const Cpu& cpu, bool mmx, HostContext& context) {
  const FxState& fx = cpu.state.fx;
  std::memset(&context.fx, 0, sizeof context.fx);
  std::memcpy(context.fx.bytes + kFxXmm, fx.bytes + kFxXmm, kFxXmmEnd - kFxXmm);
  fx_put<u16>(context.fx, kFxFcw, kFcwInitial);
  if (mmx) {
    // All exceptions masked, so that one that waits (CR0.NE = 0) does not trap the host.
    fx_put<u16>(context.fx, kFxFsw, with_summary(fx_fsw(fx), kFcwInitial));
    context.fx.bytes[kFxTags] = fx.bytes[kFxTags];
    std::memcpy(context.fx.bytes + kFxSt, fx.bytes + kFxSt, kFxXmm - kFxSt);
  }
  // Everything masked and no flag set, so that what the instruction raises is seen and does not trap.
  const u32 guest = fx_mxcsr(fx) & 0xffff;
  fx_put<u32>(context.fx, kFxMxcsr, (guest & ~kMxcsrExceptions) | kMxcsrMasks);
}

// Runs the instruction in the context and gives the exceptions that it raised.
u32 run_vector(Cpu& cpu, const Instruction& insn, bool mmx, HostContext& context) {
  load_context(cpu, context);
  load_vectors(cpu, mmx, context);
  const HostContext before = context;
  run_on_host(cpu, insn, context);
  const u32 raised = fx_mxcsr(context.fx) & kMxcsrExceptions;
  if ((fx_mxcsr(cpu.state.fx) & (kMxcsrUnderflow << 7)) != 0) [[likely]]
    return raised;
  // Unmasked, underflow counts exact tiny results as well (SDM vol. 1 11.5.2.5): flush-to-zero shows them.
  HostContext flushing = before;
  fx_put<u32>(flushing.fx, kFxMxcsr, fx_mxcsr(before.fx) | kMxcsrFlushToZero);
  run_on_host(cpu, insn, flushing);
  return raised | (fx_mxcsr(flushing.fx) & kMxcsrUnderflow);
}

bool is_dot_product(const Instruction& insn) {
  return insn.mnemonic == ZYDIS_MNEMONIC_DPPD || insn.mnemonic == ZYDIS_MNEMONIC_DPPS;
}

// What it reports of what it raised.
u32 reported_by(const Cpu& cpu, const Instruction& insn, const HostContext& context, u32 raised) {
  const FxState& fx = cpu.state.fx;
  if ((raised & ~(fx_mxcsr(fx) >> 7)) == 0 || !is_dot_product(insn))
    return reported_exceptions(raised, fx_mxcsr(fx));
  const auto xmm = [&](unsigned reg) { return fx.bytes + kFxXmm + std::size_t{16} * reg; };
  const Operand& source = insn.operands[1];
  return dot_product_exceptions(insn.mnemonic == ZYDIS_MNEMONIC_DPPD, xmm(insn.operands[0].reg),
                                source.kind == OperandKind::xmm ? xmm(source.reg) : context.memory,
                                static_cast<u8>(insn.immediate), fx_mxcsr(fx));
}

// Adds the exception flags that the instruction reports. #XM (or #UD) if one of them is unmasked: then the
// result is not to be committed.
Outcome<> settle_mxcsr(Cpu& cpu, u32 raised) {
  if (raised == 0) [[likely]]
    return {};
  FxState& fx = cpu.state.fx;
  const u32 guest = fx_mxcsr(fx);
  const u32 unmasked = raised & ~(guest >> 7);
  fx_put<u32>(fx, kFxMxcsr, guest | raised);
  if (unmasked == 0) return {};
  return raise((cpu.state.cr4 & kCr4OsXmmExcpt) != 0 ? Fault::xm() : Fault::ud());
}

void commit_vectors(Cpu& cpu, bool mmx, const HostContext& context) {
  FxState& fx = cpu.state.fx;
  std::memcpy(fx.bytes + kFxXmm, context.fx.bytes + kFxXmm, kFxXmmEnd - kFxXmm);
  if (!mmx) return;
  // MMX instructions set TOP and tags; the rest of FSW stays.
  constexpr u16 kTop = 7 << 11;
  fx_put<u16>(fx, kFxFsw, static_cast<u16>((fx_fsw(fx) & ~kTop) | (fx_fsw(context.fx) & kTop)));
  fx.bytes[kFxTags] = context.fx.bytes[kFxTags];
  std::memcpy(fx.bytes + kFxSt, context.fx.bytes + kFxSt, kFxXmm - kFxSt);
}

}  // namespace

Outcome<> vector_instruction(Cpu& cpu, const Instruction& insn) {
  const Shape shape = shape_of(insn);
  if (shape.xmm || !shape.mmx) RS_TRY(require_sse(cpu));
  if (shape.mmx) RS_TRY(require_mmx(cpu));
  HostContext context;
  Gva gva = 0;
  if (shape.memory) {
    if (shape.size == 0 || shape.size > 16) return raise(Fault::ud());
    const AccessKind kind = shape.store ? AccessKind::write : AccessKind::read;
    gva = RS_TRY(shape.aligned ? aligned_address(cpu, insn, shape.size, kind)
                               : data_address(cpu, insn, shape.size, kind, shape.size));
    if (!shape.store) RS_TRY(read_data(cpu, gva, context.memory, shape.size));
  }
  const u32 raised = reported_by(cpu, insn, context, run_vector(cpu, insn, shape.mmx, context));
  if (auto settled = settle_mxcsr(cpu, raised); !settled) {
    if (shape.mmx) enter_mmx_state(cpu.state.fx);
    return settled;
  }
  if (shape.store) RS_TRY(write_data(cpu, gva, context.memory, shape.size));
  commit_vectors(cpu, shape.mmx, context);
  commit_registers(cpu, context);
  return {};
}

void register_sse(HandlerTable& table) {
  for (const ZydisMnemonic mnemonic : kDataProcessing) table.set(mnemonic, vector_instruction);
  register_sse_memory(table);
}

}  // namespace ringshift
