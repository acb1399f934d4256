// Zydis and Capstone, behind one face.
#include "translator/disassembly.h"

#include <capstone/capstone.h>
#include <dlfcn.h>
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

// The library is loaded by the first listing: it has 77,000 relocations, which every start would wait for.
struct HostDisassembler::Handle {
  Handle();
  Handle(const Handle&) = delete;
  ~Handle();

  template <class Function>
  bool find(Function*& function, const char* name) const {
    function = reinterpret_cast<Function*>(::dlsym(library, name));
    return function != nullptr;
  }

  void* library;
  decltype(::cs_open)* open = nullptr;
  decltype(::cs_close)* close = nullptr;
  decltype(::cs_malloc)* allocate = nullptr;
  decltype(::cs_free)* free = nullptr;
  decltype(::cs_disasm_iter)* next = nullptr;
  csh capstone = 0;
  cs_insn* insn = nullptr;
};

// It stays loaded, since the next block's listing wants it again.
HostDisassembler::Handle::Handle()
    : library(::dlopen(RINGSHIFT_CAPSTONE, RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE)) {
  const bool complete = library != nullptr && find(open, "cs_open") && find(close, "cs_close") &&
                        find(allocate, "cs_malloc") && find(free, "cs_free") && find(next, "cs_disasm_iter");
  if (complete && open(CS_ARCH_X86, CS_MODE_64, &capstone) == CS_ERR_OK) insn = allocate(capstone);
}

HostDisassembler::Handle::~Handle() {
  if (insn != nullptr) free(insn, 1);
  if (capstone != 0) close(&capstone);
  if (library != nullptr) ::dlclose(library);
}

HostDisassembler::HostDisassembler() : handle_(std::make_unique<Handle>()) {}
HostDisassembler::~HostDisassembler() = default;

HostDisassembler::Line HostDisassembler::line(std::span<const u8> bytes, u64 address) {
  const u8* pc = bytes.data();
  std::size_t left = bytes.size();
  if (handle_->insn == nullptr) return {"(no libcapstone)", "", 0};
  if (!handle_->next(handle_->capstone, &pc, &left, &address, handle_->insn)) return {"(bad)", "", 0};
  const cs_insn& insn = *handle_->insn;
  return {insn.mnemonic, insn.op_str, static_cast<u8>(insn.size)};
}

}  // namespace ringshift::bt
