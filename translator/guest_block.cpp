// Reading a block of guest code.
#include "translator/guest_block.h"

#include <algorithm>
#include <span>

#include "cpu-model/code_mode.h"
#include "cpu-model/memory_access.h"
#include "translator/treatment.h"

namespace ringshift::bt {

namespace {

struct CodePage {
  const u8* host = nullptr;  // null: not plain memory
  Gpa page = kNoPage;
  bool global = false;
};

Outcome<CodePage> code_page(Cpu& cpu, Gva linear) {
  const PageTranslation walked = RS_TRY(walk(cpu, linear, AccessKind::fetch, cpu.user()));
  const Gpa page = align_down(walked.gpa, Gpa{kPageSize});
  return CodePage{cpu.phys.host(page), page, !cpu.paging() || walked.global};
}

// The one instruction at the end of a page that continues on the next. within: bytes up to CS's limit.
Outcome<bool> read_straddling(Cpu& cpu, const Decoder& decoder, const CodePage& first, u64 within,
                              GuestBlock& block) {
  const u32 next_page = align_down(block.linear, kPageSize) + kPageSize;
  const CodePage second = RS_TRY(code_page(cpu, next_page));
  if (second.host == nullptr) return false;
  u8 bytes[15];
  const u32 here = next_page - block.linear;
  std::copy_n(first.host + (block.linear & kPageOffsetMask), here, bytes);
  std::copy_n(second.host, sizeof bytes - here, bytes + here);
  GuestInstruction straddling;
  straddling.eip = block.eip;
  const std::size_t size = std::min<u64>(sizeof bytes, within);
  if (decoder.decode({bytes, size}, block.mode, straddling.insn) != DecodeStatus::ok) return false;
  block.pages[1] = second.page;
  block.global = first.global && second.global;
  block.instructions.push_back(straddling);
  return true;
}

}  // namespace

Outcome<GuestBlock> read_guest_block(Cpu& cpu, const Decoder& decoder, u32 eip) {
  GuestBlock block;
  const SegmentRegister& cs = cpu.state.segment(Seg::cs);
  if (eip > cs.limit) return block;
  block.eip = eip;
  block.linear = static_cast<Gva>(cs.base) + eip;
  block.mode = code_mode(cpu);
  const CodePage first = RS_TRY(code_page(cpu, block.linear));
  if (first.host == nullptr) return block;
  block.pages[0] = first.page;
  block.global = first.global;
  u32 page_offset = block.linear & kPageOffsetMask;
  block.host = first.host + page_offset;
  bool shadowed = false;  // by STI: its block ends after the next instruction
  unsigned side_exits = 0;
  for (u32 at = eip; block.instructions.size() < kMaxBlockInstructions;) {
    if (at > cs.limit) break;
    const u32 left = kPageSize - page_offset;
    const u64 within = u64{cs.limit} - at + 1;
    GuestInstruction next;
    next.eip = at;
    const auto status =
        decoder.decode({first.host + page_offset, std::min<u64>(left, within)}, block.mode, next.insn);
    if (status == DecodeStatus::truncated && block.instructions.empty() && left < within)
      RS_TRY(read_straddling(cpu, decoder, first, within, block));
    if (status != DecodeStatus::ok) break;
    block.instructions.push_back(next);
    const Treatment treatment = treatment_of(next.insn);
    const bool passed =
        treatment == Treatment::jump_if && next.branch_target() > at && ++side_exits <= kMaxSideExits;
    if ((ends_block(treatment) && !passed) || shadowed || next.insn.length == left) break;
    shadowed = treatment == Treatment::set_if;
    at += next.insn.length;
    page_offset += next.insn.length;
  }
  return block;
}

void cut_block(GuestBlock& block, const std::vector<u32>& alone) {
  const auto is_alone = [&](const GuestInstruction& guest) {
    return std::any_of(alone.begin(), alone.end(),
                       [&](u32 eip) { return ((eip ^ guest.eip) & kPageOffsetMask) == 0; });
  };
  const auto second = block.instructions.begin() + 1;
  const auto cut = is_alone(block.instructions.front())
                       ? second
                       : std::find_if(second, block.instructions.end(), is_alone);
  block.instructions.erase(cut, block.instructions.end());
}

}  // namespace ringshift::bt
