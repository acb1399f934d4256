// Zydis and Capstone, behind one face.
#include "translator/disassembly.h"

#include <capstone/capstone.h>
#include <fmt/format.h>

#include <iterator>

namespace ringshift::bt {

std::string hex_bytes(const u8* bytes, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) fmt::format_to(std::back_inserter(text), "{:02x} ", bytes[i]);
  return text;
}

GuestDisassembler::GuestDisassembler(CodeMode mode) {
  if (mode == CodeMode::real16 || mode == CodeMode::protected16) {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LEGACY_16, ZYDIS_STACK_WIDTH_16);
  } else {
    ZydisDecoderInit(&decoder_, ZYDIS_MACHINE_MODE_LEGACY_32, ZYDIS_STACK_WIDTH_32);
  }
  ZydisFormatterInit(&formatter_, ZYDIS_FORMATTER_STYLE_INTEL);
}

GuestDisassembler::Line GuestDisassembler::line(std::span<const u8> bytes, u32 eip) const {
  ZydisDecodedInstruction insn;
  ZydisDecodedOperand operands[ZYDIS_MAX_OPERAND_COUNT];
  char text[128];
  const bool ok =
      ZYAN_SUCCESS(ZydisDecoderDecodeFull(&decoder_, bytes.data(), bytes.size(), &insn, operands)) &&
      ZYAN_SUCCESS(ZydisFormatterFormatInstruction(&formatter_, &insn, operands, insn.operand_count_visible,
                                                   text, sizeof text, eip, nullptr));
  return ok ? Line{text, insn.length} : Line{"?", 0};
}

struct HostDisassembler::Handle {
  csh capstone = 0;
  cs_insn* insn = nullptr;
};

HostDisassembler::HostDisassembler() : handle_(std::make_unique<Handle>()) {
  if (cs_open(CS_ARCH_X86, CS_MODE_64, &handle_->capstone) == CS_ERR_OK)
    handle_->insn = cs_malloc(handle_->capstone);
}

HostDisassembler::~HostDisassembler() {
  if (handle_->insn != nullptr) cs_free(handle_->insn, 1);
  if (handle_->capstone != 0) cs_close(&handle_->capstone);
}

HostDisassembler::Line HostDisassembler::line(std::span<const u8> bytes, u64 address) {
  const u8* pc = bytes.data();
  std::size_t left = bytes.size();
  if (handle_->insn == nullptr || !cs_disasm_iter(handle_->capstone, &pc, &left, &address, handle_->insn))
    return {"(bad)", "", 0};
  const cs_insn& insn = *handle_->insn;
  return {insn.mnemonic, insn.op_str, static_cast<u8>(insn.size)};
}

}  // namespace ringshift::bt
