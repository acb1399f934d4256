// Known differences: decided by the instruction that the host faulted at.
#include "tests/differential/known_differences.h"

#include <Zydis/Zydis.h>

#include <cstring>

#include "tests/differential/small_segments.h"

namespace ringshift::differential {

namespace {

constexpr u32 kGp = 13, kSs = 12, kPf = 14, kAc = 17, kXm = 19;

bool decode(std::span<const u8> code, const UserState& at, ZydisDecodedInstruction& insn) {
  const u32 eip = at.eip + segment_base(at.cs);
  if (eip < kArenas[kCode].base || eip - kArenas[kCode].base >= code.size()) return false;
  ZydisDecoder decoder;
  if (is_small_width(at.cs)) {
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  } else {
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  }
  const std::span<const u8> rest = code.subspan(eip - kArenas[kCode].base);
  return ZYAN_SUCCESS(ZydisDecoderDecodeInstruction(&decoder, nullptr, rest.data(), rest.size(), &insn));
}

bool is_string(const ZydisDecodedInstruction& insn) { return insn.meta.category == ZYDIS_CATEGORY_STRINGOP; }

// An access across FFFFFFFF in a segment of 4 GiB "may or may not" raise #GP or #SS (SDM vol. 3A 5.3).
bool wraps(const RunResult& limit, const RunResult& page) {
  if (limit.stop.vector != kGp && limit.stop.vector != kSs) return false;
  if (page.stop.vector == kAc) return true;
  if (page.stop.vector != kPf) return false;
  for (const u16 selector : {kUserDs, limit.state.ds, limit.state.es, limit.state.ss, limit.state.cs}) {
    const u32 offset = page.stop.address - segment_base(selector);
    if (offset >= 0xfffffe00 || offset < 0x200) return true;
  }
  return false;
}

bool converts_packed(ZydisMnemonic mnemonic) {
  return mnemonic == ZYDIS_MNEMONIC_CVTPS2PI || mnemonic == ZYDIS_MNEMONIC_CVTTPS2PI ||
         mnemonic == ZYDIS_MNEMONIC_CVTPD2PI || mnemonic == ZYDIS_MNEMONIC_CVTTPD2PI;
}

// LDMXCSR of a bit that the host has and the machine's MXCSR_MASK doesn't: AMD's MM, bit 17 (APM vol.
// 1, 4.2.2).
bool has_wider_mxcsr(std::span<const u8> code, const RunResult& host, const RunResult& engine) {
  constexpr u32 kMachineMask = 0xffff;
  u32 mxcsr = 0;
  std::memcpy(&mxcsr, host.state.fx.data() + 24, sizeof mxcsr);
  ZydisDecodedInstruction insn;
  return (mxcsr & ~kMachineMask) != 0 && engine.stop.vector == kGp && decode(code, engine.state, insn) &&
         insn.mnemonic == ZYDIS_MNEMONIC_LDMXCSR;
}

}  // namespace

Ignored known_difference(std::span<const u8> code, const RunResult& expected, const RunResult& actual) {
  Ignored ignored;
  if (has_wider_mxcsr(code, expected, actual)) {
    ignored.all = ignored.memory = true;
    return ignored;
  }
  ZydisDecodedInstruction insn;
  if (expected.state.eip != actual.state.eip) return ignored;
  if (expected.stop.vector == kPf && expected.stop.address == actual.stop.address &&
      expected.stop.address - kSystemLinear < kSystemPages * kPageSize)
    ignored.address = true;
  if (!decode(code, expected.state, insn)) return ignored;
  if (wraps(expected, actual) || wraps(actual, expected)) {
    ignored.all = true;
    return ignored;
  }
  // Which operand of CMPS or MOVS is looked at first, when both fault.
  const auto of_memory = [](u32 vector) {
    return vector == kGp || vector == kSs || vector == kPf || vector == kAc;
  };
  if (is_string(insn) && expected.stop.vector != actual.stop.vector && of_memory(expected.stop.vector) &&
      of_memory(actual.stop.vector))
    ignored.all = true;
  // CALL: whether the target is checked before the push (SDM vol. 2A) or after it (AMD).
  if (insn.mnemonic == ZYDIS_MNEMONIC_CALL && expected.stop.vector == kSs && actual.stop.vector == kGp)
    ignored.all = true;
  // An SSE operand that is misaligned, and beyond SS's limit.
  if (expected.stop.vector == kGp && actual.stop.vector == kSs && expected.state.ss != kUserDs &&
      (insn.meta.exception_class != ZYDIS_EXCEPTION_CLASS_NONE || converts_packed(insn.mnemonic)))
    ignored.all = true;
  if (expected.stop.vector != actual.stop.vector) return ignored;
  // Whether an unmasked overflow or underflow reports that it is inexact too.
  ignored.precision = expected.stop.vector == kXm;
  switch (insn.mnemonic) {
    case ZYDIS_MNEMONIC_POPA:  // AMD keeps what was popped before the fault
    case ZYDIS_MNEMONIC_POPAD:
      ignored.registers = expected.stop.vector == kPf || expected.stop.vector == kSs;
      break;
    case ZYDIS_MNEMONIC_CMPSB:  // which operand is read first
    case ZYDIS_MNEMONIC_CMPSW:
    case ZYDIS_MNEMONIC_CMPSD:
    case ZYDIS_MNEMONIC_FRSTOR:  // in which order the image is read
    case ZYDIS_MNEMONIC_FLDENV:
    case ZYDIS_MNEMONIC_FXRSTOR:
      ignored.address |= expected.stop.vector == kPf;
      break;
    default:
      // Whether the registers become MMX before #XM.
      ignored.fx = converts_packed(insn.mnemonic) && expected.stop.vector == kXm;
      break;
  }
  return ignored;
}

}  // namespace ringshift::differential
