// Reading a block of guest code.
#include "translator/guest_block.h"

#include <algorithm>
#include <span>

#include "cpu-model/memory_access.h"
#include "translator/treatment.h"

namespace ringshift::bt {

namespace {

struct CodePage {
  const u8* host = nullptr;  // null: not plain memory
  Gpa page = kNoPage;
  bool global = false;
};

Outcome<CodePage> code_page(Cpu& cpu, u32 eip) {
  const PageTranslation walked = RS_TRY(walk(cpu, eip, AccessKind::fetch, cpu.user()));
  const Gpa page = align_down(walked.gpa, Gpa{kPageSize});
  return CodePage{cpu.phys.host(page), page, !cpu.paging() || walked.global};
}

// The one instruction at the end of a page that continues on the next.
Outcome<bool> read_straddling(Cpu& cpu, const Decoder& decoder, u32 eip, const CodePage& first,
                              GuestBlock& block) {
  const u32 next_page = align_down(eip, kPageSize) + kPageSize;
  const CodePage second = RS_TRY(code_page(cpu, next_page));
  if (second.host == nullptr) return false;
  u8 bytes[15];
  const u32 here = next_page - eip;
  std::copy_n(first.host + (eip & kPageOffsetMask), here, bytes);
  std::copy_n(second.host, sizeof bytes - here, bytes + here);
  GuestInstruction straddling;
  straddling.eip = eip;
  if (decoder.decode(bytes, CodeMode::protected32, straddling.insn) != DecodeStatus::ok) return false;
  block.pages[1] = second.page;
  block.global = first.global && second.global;
  block.instructions.push_back(straddling);
  return true;
}

}  // namespace

Outcome<GuestBlock> read_guest_block(Cpu& cpu, const Decoder& decoder, u32 eip) {
  GuestBlock block;
  block.eip = eip;
  const CodePage first = RS_TRY(code_page(cpu, eip));
  if (first.host == nullptr) return block;
  block.pages[0] = first.page;
  block.global = first.global;
  const u32 page_end = align_down(eip, kPageSize) + (kPageSize - 1);  // inclusive: no wrap at the top
  bool shadowed = false;  // by STI: its block ends after the next instruction
  for (u32 at = eip; block.instructions.size() < kMaxBlockInstructions;) {
    const u32 left = page_end - at + 1;
    GuestInstruction next;
    next.eip = at;
    const auto status =
        decoder.decode({first.host + (at & kPageOffsetMask), left}, CodeMode::protected32, next.insn);
    if (status == DecodeStatus::truncated && block.instructions.empty())
      RS_TRY(read_straddling(cpu, decoder, at, first, block));
    if (status != DecodeStatus::ok) break;
    block.instructions.push_back(next);
    const Treatment treatment = treatment_of(next.insn);
    if (ends_block(treatment) || shadowed || next.insn.length == left) break;
    shadowed = treatment == Treatment::set_if;
    at += next.insn.length;
  }
  return block;
}

}  // namespace ringshift::bt
