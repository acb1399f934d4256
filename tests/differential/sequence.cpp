// Sequence: layout of items, branch fields, and listing.
#include "tests/differential/sequence.h"

#include <Zydis/Zydis.h>
#include <fmt/core.h>

#include <algorithm>
#include <cstring>

namespace ringshift::differential {

std::optional<std::vector<u8>> Sequence::assemble() const {
  std::vector<u32> at;
  u32 offset = 0;
  for (const Item& item : items) {
    at.push_back(offset);
    offset += static_cast<u32>(item.bytes.size());
  }
  at.push_back(offset);

  std::vector<u8> code;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const Item& item = items[i];
    code.insert(code.end(), item.bytes.begin(), item.bytes.end());
    u8* const field = code.data() + at[i] + item.fix_offset;
    const i32 distance = static_cast<i32>(at[item.target]) - static_cast<i32>(at[i + 1]);
    const u32 absolute = start - base + at[item.target] + item.addend;
    switch (item.fix) {
      case Item::Fix::none:
        break;
      case Item::Fix::relative8:
        if (distance < -128 || distance > 127) return std::nullopt;
        *field = static_cast<u8>(distance);
        break;
      case Item::Fix::relative16:
        std::memcpy(field, &distance, 2);
        break;
      case Item::Fix::absolute16:
        std::memcpy(field, &absolute, 2);
        break;
      case Item::Fix::relative32:
        std::memcpy(field, &distance, 4);
        break;
      case Item::Fix::absolute32:
        std::memcpy(field, &absolute, 4);
        break;
    }
  }
  code.push_back(0xf4);
  return code;
}

bool Sequence::stores_environment() const {
  return std::any_of(items.begin(), items.end(), [](const Item& item) { return item.stores_environment; });
}

bool Sequence::loops() const {
  for (u32 i = 0; i < items.size(); ++i)
    if (items[i].fix != Item::Fix::none && items[i].target <= i) return true;
  return false;
}

Sequence Sequence::without(u32 removed) const {
  Sequence rest;
  rest.start = start;
  rest.base = base;
  rest.code16 = code16;
  for (u32 i = 0; i < items.size(); ++i) {
    if (i == removed) continue;
    rest.items.push_back(items[i]);
    if (rest.items.back().target > removed) --rest.items.back().target;
  }
  return rest;
}

std::string Sequence::disassemble() const {
  const auto code = assemble();
  if (!code) return "(a branch doesn't reach)\n";
  std::string text;
  std::size_t offset = 0;
  while (offset < code->size()) {
    ZydisDisassembledInstruction insn;
    const u32 address = start - base + static_cast<u32>(offset);
    const ZydisMachineMode mode = code16 ? ZYDIS_MACHINE_MODE_LEGACY_16 : ZYDIS_MACHINE_MODE_LEGACY_32;
    if (!ZYAN_SUCCESS(
            ZydisDisassembleIntel(mode, address, code->data() + offset, code->size() - offset, &insn))) {
      text += fmt::format("  {:08x}  {:02x}  (bad)\n", address, (*code)[offset]);
      ++offset;
      continue;
    }
    std::string bytes;
    for (unsigned i = 0; i < insn.info.length; ++i) bytes += fmt::format("{:02x} ", (*code)[offset + i]);
    text += fmt::format("  {:08x}  {:<36}{}\n", address, bytes, insn.text);
    offset += insn.info.length;
  }
  return text;
}

bool holds_system_call(const std::vector<u8>& code) {
  for (std::size_t i = 0; i + 1 < code.size(); ++i) {
    if (code[i] == 0xcd && code[i + 1] == 0x80) return true;                           // int 80h
    if (code[i] == 0x0f && (code[i + 1] == 0x34 || code[i + 1] == 0x05)) return true;  // sysenter, syscall
    if (code[i] == 0x0f && code[i + 1] == 0x01) return true;                           // vmmcall and the like
  }
  return false;
}

}  // namespace ringshift::differential
