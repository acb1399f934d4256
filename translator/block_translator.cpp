// From decoded guest instructions to a finished block.
#include "translator/block_translator.h"

#include <Zydis/Mnemonic.h>

#include <cstddef>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {

// CLD and STD do nothing where the mode has that direction already.
bool changes_direction(const Instruction& insn, ModeKey mode) {
  return mode.downward() != (insn.mnemonic == ZYDIS_MNEMONIC_STD);
}

bool flat(ModeKey mode, Seg segment) { return mode.shape(segment) == SegmentShape::flat; }

bool accesses_memory(const Instruction& insn, Treatment treatment) {
  if (treatment == Treatment::lea || treatment == Treatment::nothing) return false;
  for (unsigned i = 0; i < insn.operand_count; ++i)
    if (insn.operands[i].kind == OperandKind::memory) return true;
  return false;
}

bool pushes(Treatment treatment) {
  return treatment == Treatment::push || treatment == Treatment::push_flags ||
         treatment == Treatment::push_segment || treatment == Treatment::call ||
         treatment == Treatment::call_indirect;
}
bool pops(Treatment treatment) {
  return treatment == Treatment::pop || treatment == Treatment::pop_flags || treatment == Treatment::leave ||
         treatment == Treatment::ret;
}

// Whether emitted code may do the instruction's accesses, as far as the types of segments go; limits are
// checked when it runs.
bool segments_allow(const Instruction& insn, Treatment treatment, ModeKey mode) {
  if (pushes(treatment) && !mode.writable(Seg::ss)) return false;
  if (pops(treatment) && !mode.readable(Seg::ss)) return false;
  if (treatment == Treatment::string) {
    const bool stores = (insn.opcode & 0xfe) == 0xa4 || (insn.opcode & 0xfe) == 0xaa;
    return mode.readable(insn.segment) && (stores ? mode.writable(Seg::es) : mode.readable(Seg::es));
  }
  if (!accesses_memory(insn, treatment)) return true;
  return insn.memory_written ? mode.writable(insn.segment) : mode.readable(insn.segment);
}

// A direct branch's target beyond CS's limit is #GP at the branch, if it is taken.
bool target_allowed(const GuestInstruction& guest, Treatment treatment, ModeKey mode) {
  switch (treatment) {
    case Treatment::jump:
    case Treatment::jump_if:
    case Treatment::jump_counter:
    case Treatment::call:
      return guest.branch_target() <= mode.cs_limit();
    default:
      return true;
  }
}

// POP into SP or ESP, or to an address from ESP, where ESP isn't all of the stack pointer or of the operand.
bool pops_partial_esp(const Instruction& insn, ModeKey mode) {
  if (!mode.stack16() && insn.operand_size == 4) return false;
  const Operand& operand = insn.operands[0];
  return operand.kind == OperandKind::memory ? mode.stack16() && insn.base == kEsp : operand.reg == kEsp;
}

Treatment interpreted(Treatment treatment) {
  return ends_block(treatment) ? Treatment::interpret_last : Treatment::interpret;
}

// Under a window, where the operand can't stand in the instruction itself, AH..BH are out of reach
// (emitter.h, copy_at): it goes by lookups.
bool out_of_reach(const Instruction& insn, ModeKey mode) {
  const bool folds = insn.address_size == 4 && flat(mode, insn.segment);
  return !folds && insn.memory_form() && names_high_byte(insn);
}

// What the mode adds to the instruction's own treatment. soft: by lookups, though the mode has a window.
Treatment treatment_in(const GuestInstruction& guest, ModeKey mode, bool soft) {
  const Instruction& insn = guest.insn;
  const Treatment treatment = treatment_of(insn);
  if (uses_fpu_state(insn) && mode.fpu_off()) return Treatment::interpret;
  if (uses_sse(insn) && mode.sse_off()) return Treatment::interpret;
  const bool window = mode.window() && !soft;
  switch (treatment) {
    case Treatment::direction:
      return changes_direction(insn, mode) ? Treatment::interpret : Treatment::nothing;
    case Treatment::clear_if:
    case Treatment::set_if:
      return mode.cpl() == 0 ? treatment : Treatment::interpret;
    case Treatment::pop_flags:
      if (mode.cpl() != 0) return Treatment::interpret;
      break;
    case Treatment::load_segment:  // the light helpers know descriptors, and 32-bit stacks
      if (mode.real_segments() || mode.stack16()) return Treatment::interpret;
      if (insn.mnemonic == ZYDIS_MNEMONIC_POP && !mode.readable(Seg::ss)) return Treatment::interpret;
      break;
    case Treatment::read_control:
      return mode.cpl() == 0 ? treatment : Treatment::interpret_last;
    case Treatment::write_cr0:
      if (mode.cpl() != 0) return Treatment::interpret_last;
      [[fallthrough]];
    case Treatment::sysenter:
    case Treatment::sysexit:
    case Treatment::interrupt_return:
      if (mode.real_segments()) return Treatment::interpret_last;
      break;
    case Treatment::push_all:  // by lookups they would be longer than the call
    case Treatment::pop_all:
      return window && flat(mode, Seg::ss) && !mode.stack16() ? treatment : Treatment::interpret;
    case Treatment::push_flags:  // IOPL decides in v8086 mode
      if (mode.v86()) return Treatment::interpret;
      break;
    case Treatment::pop:
      if (pops_partial_esp(insn, mode)) return Treatment::interpret;
      break;
    case Treatment::read_tsc:
      return mode.direct_tsc() ? treatment : Treatment::interpret;
    case Treatment::rep_string:
      return window && !mode.downward() && flat(mode, Seg::es) && flat(mode, insn.segment)
                 ? treatment
                 : Treatment::interpret;
    default:
      break;
  }
  const bool allowed = segments_allow(insn, treatment, mode) && target_allowed(guest, treatment, mode);
  return allowed ? treatment : interpreted(treatment);
}

}  // namespace

InterpretSite* BlockTranslator::new_site(const GuestInstruction& guest, TranslationBlock& block) {
  InterpretSite& site = block.sites.emplace_front();
  ++block.site_count;
  site.decoded = interpreter_.ready(guest.insn, block.mode.code_mode());
  site.eip = guest.eip;
  site.fpu = uses_fpu_state(guest.insn);
  const Treatment treatment = treatment_of(guest.insn);
  site.loads_segments = treatment == Treatment::load_segment || treatment == Treatment::interrupt_return;
  return &site;
}

void BlockTranslator::translate_one(Emitter& emitter, const GuestInstruction& guest, Treatment treatment,
                                    TranslationBlock& block) {
  switch (treatment) {
    case Treatment::identity:
      return translate_identity(emitter, guest);
    case Treatment::nothing:
      return;
    case Treatment::short_incdec:
      return translate_short_incdec(emitter, guest);
    case Treatment::moffs:
      return translate_moffs(emitter, guest);
    case Treatment::lea:
      return translate_lea(emitter, guest);
    case Treatment::bit_string:
      return translate_bit_string(emitter, guest);
    case Treatment::push:
      return translate_push(emitter, guest);
    case Treatment::pop:
      return translate_pop(emitter, guest);
    case Treatment::push_all:
      return translate_push_all(emitter);
    case Treatment::pop_all:
      return translate_pop_all(emitter);
    case Treatment::leave:
      return translate_leave(emitter, guest);
    case Treatment::clear_if:
      return translate_clear_if(emitter);
    case Treatment::set_if:
      return translate_set_if(emitter);
    case Treatment::push_flags:
      return translate_push_flags(emitter, guest);
    case Treatment::pop_flags:
      return translate_pop_flags(emitter, guest, new_site(guest, block));
    case Treatment::load_segment:
      return translate_load_segment(emitter, guest, new_site(guest, block));
    case Treatment::sysenter:
    case Treatment::sysexit:
    case Treatment::interrupt_return:
      return translate_transition(emitter, treatment, new_site(guest, block));
    case Treatment::write_cr0:
      return translate_write_cr0(emitter, guest, new_site(guest, block));
    case Treatment::read_control:
      return translate_read_control(emitter, guest);
    case Treatment::cpuid:
      return emitter.call_site(stubs_.light_cpuid, new_site(guest, block), 0);
    case Treatment::port:
      return translate_port(emitter, guest, new_site(guest, block));
    case Treatment::push_segment:
      return translate_push_segment(emitter, guest);
    case Treatment::read_tsc:
      return translate_read_tsc(emitter, guest);
    case Treatment::string:
      return translate_string(emitter, guest);
    case Treatment::interpret:
    case Treatment::interpret_last:
      return emitter.interpret(new_site(guest, block));
    case Treatment::rep_string:
      return translate_rep(emitter, guest, new_site(guest, block));
    default:
      return translate_branch(emitter, guest, treatment, block);
  }
}

namespace {

// Tells the links where they stand in the finished code.
void place_links(const Emitter& emitter, TranslationBlock& block) {
  for (const Emitter::PendingLink& pending : emitter.pending_links()) {
    Link& link = *pending.link;
    link.source = &block;
    link.target_eip = pending.target_eip;
    link.backward = pending.backward;
    link.patch_offset = static_cast<u16>(pending.patch_offset);
    link.exit_offset = static_cast<u16>(pending.stub_offset);
    link.lookup_offset = static_cast<u16>(pending.lookup_offset);
  }
}

}  // namespace

namespace {

// Code of global pages has one address, and keeps its links between pages. Branches with 16-bit operands
// truncate EIP, which then says more than where the page is.
bool may_relocate(const GuestBlock& guest, ModeKey mode) {
  if (guest.global || !mode.relocatable()) return false;
  return std::none_of(guest.instructions.begin(), guest.instructions.end(), [](const GuestInstruction& next) {
    return next.insn.operand_size == 2 && ends_block(treatment_of(next.insn));
  });
}

}  // namespace

std::vector<BlockTranslator::Step> BlockTranslator::plan(const GuestBlock& guest, ModeKey mode) const {
  std::vector<Step> steps;
  bool shadowed = false;  // by STI
  for (const GuestInstruction& next : guest.instructions) {
    const u32 page_offset = (guest.linear & kPageOffsetMask) + (next.eip - guest.eip);
    const Remedy remedy = failing_.remedy_of(guest.pages[0] + page_offset);
    const bool soft = remedy == Remedy::lookups || out_of_reach(next.insn, mode);
    Treatment treatment = treatment_in(next, mode, soft);
    if (remedy == Remedy::interpreter) treatment = interpreted(treatment);
    // STI's shadow reaches into the next block: VcpuState has to keep it.
    if (treatment == Treatment::set_if && &next == &guest.instructions.back())
      treatment = Treatment::interpret;
    steps.push_back({&next, treatment, soft});
    const bool passed = treatment == Treatment::jump_if && guest.is_side_exit(next);
    // A branch to what follows (code patched to be none) is no exit.
    if (passed && next.branch_target() == next.next_eip()) steps.back().treatment = Treatment::nothing;
    if ((ends_block(treatment) && !passed) || shadowed) break;
    shadowed = treatment == Treatment::set_if;
  }
  return steps;
}

unsigned BlockTranslator::links_of(const std::vector<Step>& steps) {
  unsigned links = 0;
  for (const Step& step : steps) {
    const bool last = &step == &steps.back();
    switch (step.treatment) {
      case Treatment::jump:
      case Treatment::call:
        ++links;
        break;
      case Treatment::jump_if:
        links += last ? 2 : 1;
        break;
      case Treatment::jump_counter:
        links += 2;
        break;
      default:
        if (last && !ends_block(step.treatment)) ++links;
        break;
    }
  }
  return links;
}

std::unique_ptr<TranslationBlock> BlockTranslator::translate(const GuestBlock& guest, ModeKey mode) {
  auto block = std::make_unique<TranslationBlock>();
  block->eip = guest.eip;
  block->linear = guest.linear;
  block->mode = mode;
  block->pages[0] = guest.pages[0];
  block->pages[1] = guest.pages[1];
  block->first_byte = static_cast<u16>(guest.linear & kPageOffsetMask);
  block->global = guest.global;

  const std::vector<Step> steps = plan(guest, mode);
  const auto count = static_cast<unsigned>(steps.size());
  block->instructions = static_cast<u16>(count);
  block->make_links(links_of(steps));
  const unsigned rounds = rounds_of(guest, steps);
  block->relocatable = may_relocate(guest, mode);
  Emitter emitter(stubs_, mode, guest.global && !mode.shifting(), block->relocatable);
  emitter.begin(cache_.next(), guest.eip, guest.linear);
  emitter.begin_instruction(guest.instructions.front().insn, guest.eip, false);
  const Emitter::Head head = emitter.begin_head(guest.eip);
  const u32 entry_offset = emitter.offset();
  if (counting_ == Counting::exact) emitter.take_from_budget(guest.eip, count);
  if (counting_ == Counting::by_block) emitter.count_executed(static_cast<i32>(count * rounds));

  const asmjit::Label out = emitter.as().newLabel();
  emit_first_rounds(emitter, steps, rounds, out, *block);
  for (unsigned i = 0; i < count; ++i) {
    const auto& [next, treatment, soft] = steps[i];
    emitter.begin_instruction(next->insn, next->eip, soft);
    if (rounds > 1 && i + 1 == count) emitter.bind_loop_exit(out);
    const u32 sites_before = block->site_count;
    if (treatment == Treatment::jump_if && i + 1 < count) {
      const unsigned unexecuted = counting_ == Counting::none ? 0 : count - i - 1;
      emitter.leave_if(next->insn.opcode & 15, next->branch_target(), block->take_link(), unexecuted);
    } else {
      translate_one(emitter, *next, treatment, *block);
    }
    if (block->site_count != sites_before) block->sites.front().unexecuted = static_cast<u8>(count - i);
    if (counting_ == Counting::exact) block->starts.push_back(static_cast<u16>(next->eip - guest.eip));
    block->guest_bytes = static_cast<u16>(next->eip + next->insn.length - guest.eip);
  }
  const bool ended = ends_block(steps.back().treatment);
  const bool shadowed = count > 1 && steps[count - 2].treatment == Treatment::set_if;
  if (!ended) {
    emitter.restore_flags();
    emitter.jump_to_link(guest.eip + block->guest_bytes, block->take_link(), shadowed);
  }
  RS_CHECK(emitter.finish(buffer_));
  if (buffer_.size() > std::min(kMaxBlockBytes, cache_.free_bytes())) return nullptr;
  block->code = cache_.append(buffer_);
  block->polled_entry = block->code + head.polled;
  block->landing = block->code + (block->relocatable ? head.landing : entry_offset);
  block->entry = block->code + entry_offset;
  block->host_bytes = static_cast<u32>(buffer_.size());
  block->marks = emitter.marks();
  place_links(emitter, *block);
  for (const auto& [site, resume] : emitter.interpret_sites())
    if (!ends_block(treatment_of(site->decoded.insn))) site->resume = block->code + resume;
  listing_.translated(guest, *block, emitter.starts());
  ++counters_.blocks;
  counters_.guest_instructions += block->instructions;
  counters_.guest_bytes += block->guest_bytes;
  counters_.host_bytes += block->host_bytes;
  return block;
}

}  // namespace ringshift::bt
