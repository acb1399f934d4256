// Disassembly of the guest's code, by Zydis.
#include "machine/lockstep/guest_listing.h"

#include <Zydis/Zydis.h>
#include <fmt/format.h>

#include "cpu-model/guest_peek.h"

namespace ringshift {

std::string list_guest_code(const Cpu& cpu, unsigned count) {
  ZydisDecoder decoder;
  if (cpu.code32())
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  else
    ZydisDecoderInit(&decoder, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  ZydisFormatter formatter;
  ZydisFormatterInit(&formatter, ZYDIS_FORMATTER_STYLE_INTEL);
  std::string text;
  u32 eip = cpu.state.eip();
  while (count-- != 0) {
    u8 bytes[15];
    const Gva linear = static_cast<Gva>(cpu.state.segment(Seg::cs).base) + eip;
    const u32 got = peek_bytes(cpu, linear, bytes);
    ZydisDecodedInstruction insn;
    ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
    char line[128];
    if (!ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder, bytes, got, &insn, operands)) ||
        !ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter, &insn, operands, insn.operand_count_visible,
                                                      line, sizeof line, eip, nullptr)))
      return text + fmt::format("  {:08x}: (no instruction, or not mapped)\n", eip);
    std::string hex;
    for (unsigned i = 0; i < insn.length; ++i) hex += fmt::format("{:02x} ", bytes[i]);
    text += fmt::format("  {:08x}: {:<24} {}\n", eip, hex, line);
    eip += insn.length;
  }
  return text;
}

}  // namespace ringshift
