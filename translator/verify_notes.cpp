// Keeping and listing of what blocks were made of.
#include "translator/verify_notes.h"

#include <algorithm>

#include "translator/treatment.h"

namespace ringshift::bt {

namespace {

// MOVS to SCAS, with the opcodes between them that are none, and INS and OUTS.
bool string_opcode(u8 opcode) {
  if (opcode == 0xa8 || opcode == 0xa9) return false;
  return (opcode >= 0xa4 && opcode <= 0xaf) || (opcode & 0xfc) == 0x6c;
}

bool prefix(u8 byte) {
  constexpr u8 kPrefixes[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67, 0xf0, 0xf2, 0xf3};
  return std::find(std::begin(kPrefixes), std::end(kPrefixes), byte) != std::end(kPrefixes);
}

}  // namespace

std::optional<unsigned> BlockNote::index_of(u32 address) const {
  const u32 offset = address - eip;
  if (offset == 0) return 0;
  const auto found = std::lower_bound(offsets.begin(), offsets.end(), offset);
  if (found == offsets.end() || *found != offset) return std::nullopt;
  return static_cast<unsigned>(found - offsets.begin());
}

bool BlockNote::repeats(u32 address) const {
  bool repeat = false;
  std::size_t at = address - eip;
  for (; at < code.size() && prefix(code[at]); ++at) repeat |= code[at] == 0xf2 || code[at] == 0xf3;
  return repeat && at < code.size() && string_opcode(code[at]);
}

void BlockNotes::on_translated(const GuestBlock& guest, const TranslationBlock& block,
                               std::span<const InstructionStart> starts) {
  const u8* const end = block.code + block.host_bytes;
  auto at = notes_.lower_bound(block.code);
  if (at != notes_.begin() && std::prev(at)->first + std::prev(at)->second.host_bytes > block.code) --at;
  while (at != notes_.end() && at->first < end) at = notes_.erase(at);
  BlockNote& note = notes_[block.code];
  note.eip = block.eip;
  note.host_bytes = block.host_bytes;
  for (unsigned i = 0; i < block.instructions; ++i) {
    const Instruction& insn = guest.instructions[i].insn;
    note.offsets.push_back(static_cast<u16>(guest.instructions[i].eip - guest.eip));
    note.code.insert(note.code.end(), insn.bytes, insn.bytes + insn.length);
    note.fpu = note.fpu || uses_fpu_state(insn);
  }
  note.offsets.push_back(block.guest_bytes);
  note.starts.assign(starts.begin(), starts.end());
  const auto heads = std::count_if(starts.begin(), starts.end(), [](const InstructionStart& start) {
    return start.guest_offset == 0 && start.host_offset != 0;
  });
  note.rounds = static_cast<unsigned>(std::max<std::ptrdiff_t>(heads, 1));
}

std::string list(const TranslationBlock& block, const BlockNote& note, const Decoder& decoder) {
  GuestBlock guest;
  guest.mode = block.mode.code_mode();
  const std::span<const u8> code(note.code);
  for (std::size_t i = 0; i + 1 < note.offsets.size(); ++i) {
    GuestInstruction next;
    next.eip = block.eip + note.offsets[i];
    if (decoder.decode(code.subspan(note.offsets[i]), guest.mode, next.insn) != DecodeStatus::ok) break;
    guest.instructions.push_back(next);
  }
  return "guest code:\n" + list_guest(guest, block.instructions) + "host code:\n" +
         list_host(block, note.starts);
}

}  // namespace ringshift::bt
