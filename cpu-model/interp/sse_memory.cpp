// What of the SSE family is more than data processing: FXSAVE, FXRSTOR, MXCSR, masked and non-temporal
// stores, cache hints and fences, CRC32.
#include <Zydis/Zydis.h>

#include "cpu-model/interp/fpu.h"
#include "cpu-model/interp/operands.h"
#include "cpu-model/interp/sse.h"

namespace ringshift {

namespace {

constexpr u32 kFxImageSize = 512;

// MXCSR bits that the CPU has: DAZ came with SSE2.
u32 mxcsr_mask(const Cpu& cpu) { return cpu.cpuid.has(CpuFeature::sse2) ? 0xffff : 0xffbf; }

// FXSAVE and FXRSTOR: #NM if CR0.EM or CR0.TS; the whole image must be in the segment and aligned.
Outcome<Gva> fx_address(Cpu& cpu, const Instruction& insn, AccessKind kind) {
  RS_TRY(require_x87(cpu));
  return aligned_address(cpu, insn, kFxImageSize, kind);
}

// Faults as a write of all 512 bytes does, but writes only what hardware writes outside 64-bit mode: the
// guest may keep things where XMM8-15 would go.
Outcome<> fxsave(Cpu& cpu, const Instruction& insn) {
  const Gva gva = RS_TRY(fx_address(cpu, insn, AccessKind::write));
  RS_TRY(probe_write(cpu, gva, kFxImageSize, cpu.user()));
  FxState image = cpu.state.fx;
  image.bytes[kFxTags + 1] = 0;
  fx_put<u32>(image, kFxMxcsrMask, mxcsr_mask(cpu));
  return write_linear_slow(cpu, gva, image.bytes, kFxXmmEnd, cpu.user());
}

Outcome<> fxrstor(Cpu& cpu, const Instruction& insn) {
  const Gva gva = RS_TRY(fx_address(cpu, insn, AccessKind::read));
  FxState image;
  static_assert(sizeof image.bytes == kFxImageSize);
  RS_TRY(read_linear_slow(cpu, gva, image.bytes, kFxImageSize, cpu.user()));
  const bool vectors = (cpu.state.cr4 & kCr4OsFxsr) != 0;
  if (vectors && (fx_mxcsr(image) & ~mxcsr_mask(cpu)) != 0) return raise(Fault::gp());
  FxState& fx = cpu.state.fx;
  std::memcpy(fx.bytes, image.bytes, kFxMxcsr);
  fx_put<u16>(fx, kFxFcw, clean_fcw(fx_fcw(image)));
  fx.bytes[kFxTags + 1] = 0;
  for (unsigned i = 0; i < 8; ++i) {
    std::memset(fx.bytes + kFxSt + 16 * i, 0, 16);
    std::memcpy(fx.bytes + kFxSt + 16 * i, image.bytes + kFxSt + 16 * i, 10);
  }
  if (vectors) {
    fx_put<u32>(fx, kFxMxcsr, fx_mxcsr(image));
    std::memcpy(fx.bytes + kFxXmm, image.bytes + kFxXmm, kFxXmmEnd - kFxXmm);
  }
  settle_x87(cpu);
  return {};
}

Outcome<> ldmxcsr(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_sse(cpu));
  const u32 value = RS_TRY(read_memory_operand<u32>(cpu, insn));
  if ((value & ~mxcsr_mask(cpu)) != 0) return raise(Fault::gp());
  fx_put<u32>(cpu.state.fx, kFxMxcsr, value);
  return {};
}

Outcome<> stmxcsr(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_sse(cpu));
  return write_memory_operand<u32>(cpu, insn, fx_mxcsr(cpu.state.fx));
}

// The store's segment, which may be overridden: no visible operand carries it.
Seg hidden_segment(const Instruction& insn) {
  Seg segment = Seg::ds;
  for (unsigned i = 0; i < insn.prefix_length && i < sizeof insn.bytes; ++i) {
    switch (insn.bytes[i]) {
      case 0x26:
        segment = Seg::es;
        break;
      case 0x2e:
        segment = Seg::cs;
        break;
      case 0x36:
        segment = Seg::ss;
        break;
      case 0x3e:
        segment = Seg::ds;
        break;
      case 0x64:
        segment = Seg::fs;
        break;
      case 0x65:
        segment = Seg::gs;
        break;
      default:
        break;
    }
  }
  return segment;
}

// Stores at DS:(E)DI the bytes of `data` whose mask byte has its top bit set. Faults are those of a store of
// them all, whatever the mask: implementations may differ, AMD's does so.
Outcome<> masked_store(Cpu& cpu, const Instruction& insn, const u8* data, const u8* mask, u32 size) {
  const u32 address_mask = insn.address_size == 2 ? 0xffffu : ~0u;
  const u32 offset = cpu.state.reg32(kEdi) & address_mask;
  const Gva gva = RS_TRY(linear_address(cpu, hidden_segment(insn), offset, size, AccessKind::write));
  RS_TRY(check_alignment(cpu, gva, 8));
  RS_TRY(probe_write(cpu, gva, size, cpu.user()));
  for (u32 i = 0; i < size; ++i)
    if (mask[i] >= 0x80) RS_TRY(write_linear<u8>(cpu, gva + i, data[i], cpu.user()));
  return {};
}

Outcome<> maskmovdqu(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_sse(cpu));
  const u8* xmm = cpu.state.fx.bytes + kFxXmm;
  return masked_store(cpu, insn, xmm + 16 * insn.modrm_reg(), xmm + 16 * insn.modrm_rm(), 16);
}

Outcome<> maskmovq(Cpu& cpu, const Instruction& insn) {
  RS_TRY(require_mmx(cpu));
  FxState& fx = cpu.state.fx;
  enter_mmx_state(fx);  // also before a fault, as measured on AMD's Zen 4
  const u8* mm = fx.bytes + kFxSt;
  return masked_store(cpu, insn, mm + 16 * insn.modrm_reg(), mm + 16 * insn.modrm_rm(), 8);
}

// An integer store: no check of CR0 or CR4.
Outcome<> movnti(Cpu& cpu, const Instruction& insn) {
  return write_memory_operand<u32>(cpu, insn, cpu.state.reg32(insn.modrm_reg()));
}

// Faults as a read of a byte does; there is no cache to flush.
Outcome<> clflush(Cpu& cpu, const Instruction& insn) {
  const Gva gva = RS_TRY(memory_operand_address(cpu, insn, 1, AccessKind::read));
  RS_TRY(fill_tlb(cpu, gva, AccessKind::read, cpu.user()));
  return {};
}

Outcome<> hint(Cpu&, const Instruction&) { return {}; }

template <class T>
u32 crc32_step(u32 crc, T data) {
  if constexpr (sizeof(T) == 1)
    asm("crc32b %[data], %[crc]" : [crc] "+r"(crc) : [data] "r"(data));
  else if constexpr (sizeof(T) == 2)
    asm("crc32w %[data], %[crc]" : [crc] "+r"(crc) : [data] "r"(data));
  else
    asm("crc32l %[data], %[crc]" : [crc] "+r"(crc) : [data] "r"(data));
  return crc;
}

Outcome<> crc32(Cpu& cpu, const Instruction& insn) {
  return by_operand_size(insn, 1, [&]<class T>() -> Outcome<> {
    const T data = RS_TRY(read_operand<T>(cpu, insn, 1));
    const unsigned reg = insn.modrm_reg();
    cpu.state.set_reg32(reg, crc32_step<T>(cpu.state.reg32(reg), data));
    return {};
  });
}

}  // namespace

void register_sse_memory(HandlerTable& table) {
  table.set(ZYDIS_MNEMONIC_FXSAVE, fxsave);
  table.set(ZYDIS_MNEMONIC_FXRSTOR, fxrstor);
  table.set(ZYDIS_MNEMONIC_LDMXCSR, ldmxcsr);
  table.set(ZYDIS_MNEMONIC_STMXCSR, stmxcsr);
  table.set(ZYDIS_MNEMONIC_MASKMOVDQU, maskmovdqu);
  table.set(ZYDIS_MNEMONIC_MASKMOVQ, maskmovq);
  table.set(ZYDIS_MNEMONIC_MOVNTI, movnti);
  table.set(ZYDIS_MNEMONIC_CLFLUSH, clflush);
  table.set(ZYDIS_MNEMONIC_CRC32, crc32);
  for (const ZydisMnemonic mnemonic :
       {ZYDIS_MNEMONIC_LFENCE, ZYDIS_MNEMONIC_MFENCE, ZYDIS_MNEMONIC_SFENCE, ZYDIS_MNEMONIC_PREFETCH,
        ZYDIS_MNEMONIC_PREFETCHNTA, ZYDIS_MNEMONIC_PREFETCHT0, ZYDIS_MNEMONIC_PREFETCHT1,
        ZYDIS_MNEMONIC_PREFETCHT2, ZYDIS_MNEMONIC_PREFETCHW})
    table.set(mnemonic, hint);
}

}  // namespace ringshift
