// MMX and SSE data processing: every instruction is executed by the host on copies of the guest's registers
// and of its memory operand.
#include "cpu-model/interp/sse.h"

#include <Zydis/Zydis.h>

#include "cpu-model/interp/fpu.h"

namespace ringshift {

namespace {

constexpr ZydisMnemonic kDataProcessing[] = {
#define M(name) ZYDIS_MNEMONIC_##name
    // MMX, with its SSE, SSE2 and SSSE3 additions, and the XMM forms of the same
    M(EMMS),
    M(MOVD),
    M(MOVQ),
    M(PACKSSDW),
    M(PACKSSWB),
    M(PACKUSWB),
    M(PADDB),
    M(PADDD),
    M(PADDQ),
    M(PADDSB),
    M(PADDSW),
    M(PADDUSB),
    M(PADDUSW),
    M(PADDW),
    M(PAND),
    M(PANDN),
    M(PAVGB),
    M(PAVGW),
    M(PCMPEQB),
    M(PCMPEQD),
    M(PCMPEQW),
    M(PCMPGTB),
    M(PCMPGTD),
    M(PCMPGTW),
    M(PEXTRW),
    M(PINSRW),
    M(PMADDWD),
    M(PMAXSW),
    M(PMAXUB),
    M(PMINSW),
    M(PMINUB),
    M(PMOVMSKB),
    M(PMULHUW),
    M(PMULHW),
    M(PMULLW),
    M(PMULUDQ),
    M(POR),
    M(PSADBW),
    M(PSHUFW),
    M(PSLLD),
    M(PSLLQ),
    M(PSLLW),
    M(PSRAD),
    M(PSRAW),
    M(PSRLD),
    M(PSRLQ),
    M(PSRLW),
    M(PSUBB),
    M(PSUBD),
    M(PSUBQ),
    M(PSUBSB),
    M(PSUBSW),
    M(PSUBUSB),
    M(PSUBUSW),
    M(PSUBW),
    M(PUNPCKHBW),
    M(PUNPCKHDQ),
    M(PUNPCKHWD),
    M(PUNPCKLBW),
    M(PUNPCKLDQ),
    M(PUNPCKLWD),
    M(PXOR),
    M(MOVNTQ),
    M(PABSB),
    M(PABSD),
    M(PABSW),
    M(PALIGNR),
    M(PHADDD),
    M(PHADDSW),
    M(PHADDW),
    M(PHSUBD),
    M(PHSUBSW),
    M(PHSUBW),
    M(PMADDUBSW),
    M(PMULHRSW),
    M(PSHUFB),
    M(PSIGNB),
    M(PSIGND),
    M(PSIGNW),
    // SSE
    M(ADDPS),
    M(ADDSS),
    M(ANDNPS),
    M(ANDPS),
    M(CMPPS),
    M(CMPSS),
    M(COMISS),
    M(CVTPI2PS),
    M(CVTPS2PI),
    M(CVTSI2SS),
    M(CVTSS2SI),
    M(CVTTPS2PI),
    M(CVTTSS2SI),
    M(DIVPS),
    M(DIVSS),
    M(MAXPS),
    M(MAXSS),
    M(MINPS),
    M(MINSS),
    M(MOVAPS),
    M(MOVHLPS),
    M(MOVHPS),
    M(MOVLHPS),
    M(MOVLPS),
    M(MOVMSKPS),
    M(MOVNTPS),
    M(MOVSS),
    M(MOVUPS),
    M(MULPS),
    M(MULSS),
    M(ORPS),
    M(RCPPS),
    M(RCPSS),
    M(RSQRTPS),
    M(RSQRTSS),
    M(SHUFPS),
    M(SQRTPS),
    M(SQRTSS),
    M(SUBPS),
    M(SUBSS),
    M(UCOMISS),
    M(UNPCKHPS),
    M(UNPCKLPS),
    M(XORPS),
    // SSE2; MOVSD and CMPSD come through the string family
    M(ADDPD),
    M(ADDSD),
    M(ANDNPD),
    M(ANDPD),
    M(CMPPD),
    M(COMISD),
    M(CVTDQ2PD),
    M(CVTDQ2PS),
    M(CVTPD2DQ),
    M(CVTPD2PI),
    M(CVTPD2PS),
    M(CVTPI2PD),
    M(CVTPS2DQ),
    M(CVTPS2PD),
    M(CVTSD2SI),
    M(CVTSD2SS),
    M(CVTSI2SD),
    M(CVTSS2SD),
    M(CVTTPD2DQ),
    M(CVTTPD2PI),
    M(CVTTPS2DQ),
    M(CVTTSD2SI),
    M(DIVPD),
    M(DIVSD),
    M(MAXPD),
    M(MAXSD),
    M(MINPD),
    M(MINSD),
    M(MOVAPD),
    M(MOVDQ2Q),
    M(MOVDQA),
    M(MOVDQU),
    M(MOVHPD),
    M(MOVLPD),
    M(MOVMSKPD),
    M(MOVNTDQ),
    M(MOVNTPD),
    M(MOVQ2DQ),
    M(MOVUPD),
    M(MULPD),
    M(MULSD),
    M(ORPD),
    M(PSHUFD),
    M(PSHUFHW),
    M(PSHUFLW),
    M(PSLLDQ),
    M(PSRLDQ),
    M(PUNPCKHQDQ),
    M(PUNPCKLQDQ),
    M(SHUFPD),
    M(SQRTPD),
    M(SQRTSD),
    M(SUBPD),
    M(SUBSD),
    M(UCOMISD),
    M(UNPCKHPD),
    M(UNPCKLPD),
    M(XORPD),
    // SSE3
    M(ADDSUBPD),
    M(ADDSUBPS),
    M(HADDPD),
    M(HADDPS),
    M(HSUBPD),
    M(HSUBPS),
    M(LDDQU),
    M(MOVDDUP),
    M(MOVSHDUP),
    M(MOVSLDUP),
    // SSE4.1, SSE4.2, AES, PCLMULQDQ
    M(BLENDPD),
    M(BLENDPS),
    M(BLENDVPD),
    M(BLENDVPS),
    M(DPPD),
    M(DPPS),
    M(EXTRACTPS),
    M(INSERTPS),
    M(MOVNTDQA),
    M(MPSADBW),
    M(PACKUSDW),
    M(PBLENDVB),
    M(PBLENDW),
    M(PCMPEQQ),
    M(PCMPGTQ),
    M(PEXTRB),
    M(PEXTRD),
    M(PHMINPOSUW),
    M(PINSRB),
    M(PINSRD),
    M(PMAXSB),
    M(PMAXSD),
    M(PMAXUD),
    M(PMAXUW),
    M(PMINSB),
    M(PMINSD),
    M(PMINUD),
    M(PMINUW),
    M(PMOVSXBD),
    M(PMOVSXBQ),
    M(PMOVSXBW),
    M(PMOVSXDQ),
    M(PMOVSXWD),
    M(PMOVSXWQ),
    M(PMOVZXBD),
    M(PMOVZXBQ),
    M(PMOVZXBW),
    M(PMOVZXDQ),
    M(PMOVZXWD),
    M(PMOVZXWQ),
    M(PMULDQ),
    M(PMULLD),
    M(PTEST),
    M(ROUNDPD),
    M(ROUNDPS),
    M(ROUNDSD),
    M(ROUNDSS),
    M(PCMPESTRI),
    M(PCMPESTRM),
    M(PCMPISTRI),
    M(PCMPISTRM),
    M(AESDEC),
    M(AESDECLAST),
    M(AESENC),
    M(AESENCLAST),
    M(AESIMC),
    M(AESKEYGENASSIST),
    M(PCLMULQDQ),
#undef M
};

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

// Adds the exception flags that the instruction raised. #XM (or #UD) if one of them is unmasked: then the
// result is not to be committed.
Outcome<> settle_mxcsr(Cpu& cpu, u32 raised) {
  if (raised == 0) [[likely]]
    return {};
  FxState& fx = cpu.state.fx;
  const u32 guest = fx_mxcsr(fx);
  const u32 unmasked = raised & ~(guest >> 7);
  // Invalid, denormal and divide-by-zero are found before the operation, which then doesn't take place.
  constexpr u32 kBeforeOperation = 7;
  if ((unmasked & kBeforeOperation) != 0) raised &= kBeforeOperation;
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
  const u32 raised = run_vector(cpu, insn, shape.mmx, context);
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
