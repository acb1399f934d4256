// What Zydis says of one instruction, and decoders that know none newer than the machine's.
#pragma once

#include <Zydis/Zydis.h>

#include <span>

#include "base/types.h"

namespace ringshift::differential {

struct ZydisDecoding {
  ZydisDecodedInstruction insn;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];

  std::span<const ZydisDecodedOperand> all_operands() const { return {operands, insn.operand_count}; }
};

// Encodings that were NOPs, or other instructions, before.
inline ZydisDecoder zydis_decoder(ZydisMachineMode mode, ZydisStackWidth width) {
  ZydisDecoder decoder;
  ZydisDecoderInit(&decoder, mode, width);
  for (const auto feature :
       {ZYDIS_DECODER_MODE_MPX, ZYDIS_DECODER_MODE_CET, ZYDIS_DECODER_MODE_LZCNT, ZYDIS_DECODER_MODE_TZCNT,
        ZYDIS_DECODER_MODE_WBNOINVD, ZYDIS_DECODER_MODE_CLDEMOTE})
    ZydisDecoderEnableMode(&decoder, feature, ZYAN_FALSE);
  return decoder;
}

inline bool decode(const ZydisDecoder& decoder, std::span<const u8> code, ZydisDecoding& out) {
  return ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, code.data(), code.size(), &out.insn, out.operands));
}

}  // namespace ringshift::differential
