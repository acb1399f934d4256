// From decoded guest instructions to a finished block.
#include "translator/block_translator.h"

#include <algorithm>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

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
      return translate_cpuid(emitter, new_site(guest, block));
    case Treatment::software_interrupt:
      return translate_software_interrupt(emitter, guest, new_site(guest, block));
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
      return translate_rep(emitter, guest, new_site(guest, block), counting_ == Counting::none);
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

Step BlockTranslator::plan_one(const GuestBlock& guest, const GuestInstruction& next, ModeKey mode) const {
  const u32 page_offset = (guest.linear & kPageOffsetMask) + (next.eip - guest.eip);
  const Remedy remedy = failing_.remedy_of(guest.pages[0] + page_offset);
  const bool beyond = out_of_reach(next.insn, mode);
  const bool soft = remedy == Remedy::lookups || beyond;
  auto [treatment, choice] = treatment_in(next, mode, soft);
  if (choice == TreatmentChoice::allow_list && soft && mode.window())
    choice = beyond ? TreatmentChoice::high_byte : TreatmentChoice::failed_window;
  if (remedy == Remedy::interpreter) {
    treatment = interpreted(treatment);
    choice = TreatmentChoice::failed_inline;
  }
  // STI's shadow reaches into the next block: VcpuState has to keep it.
  if (treatment == Treatment::set_if && &next == &guest.instructions.back())
    return {&next, Treatment::interpret, TreatmentChoice::shadow, soft, {}};
  const u8* const bytes = guest.host == nullptr ? nullptr : guest.host + (next.eip - guest.eip);
  return {&next, treatment, choice, soft, {bytes, readable_fields(next, treatment)}};
}

std::unique_ptr<BlockSource> BlockTranslator::source_of(const GuestBlock& guest,
                                                        const std::vector<Step>& steps) {
  if (!guest.patched || guest.pages[1] != kNoPage) return nullptr;
  auto source = std::make_unique<BlockSource>();
  source->versions = guest.versions;
  for (const Step& step : steps) {
    const Instruction& insn = step.guest->insn;
    const std::size_t at = source->bytes.size();
    source->bytes.insert(source->bytes.end(), insn.bytes, insn.bytes + insn.length);
    for (const OperandField field : {kLiveDisplacement, kLiveImmediate}) {
      const FieldPlace place = place_of(insn, field);
      if ((step.live.fields & field) != 0)
        source->live.push_back({static_cast<u16>(at + place.offset), place.bytes});
    }
  }
  return source;
}

BlockTranslator::Plan BlockTranslator::plan(const GuestBlock& guest, ModeKey mode) const {
  Plan made;
  std::vector<Step>& steps = made.steps;
  bool shadowed = false;  // by STI
  for (const GuestInstruction& next : guest.instructions) {
    steps.push_back(plan_one(guest, next, mode));
    const Treatment treatment = steps.back().treatment;
    const bool passed = treatment == Treatment::jump_if && guest.is_side_exit(next);
    // A branch to what follows (code patched to be none) is no exit.
    if (passed && next.branch_target() == next.next_eip()) {
      steps.back().treatment = Treatment::nothing;
      steps.back().choice = TreatmentChoice::no_branch;
    }
    if ((ends_block(treatment) && !passed) || shadowed) break;
    shadowed = treatment == Treatment::set_if;
  }
  made.shared = plan_shared_lookups(steps, mode);
  return made;
}

const SharedLookup* BlockTranslator::Plan::shared_at(unsigned step) const {
  const auto found = std::find_if(shared.begin(), shared.end(),
                                  [&](const SharedLookup& lookup) { return lookup.covers(step); });
  return found == shared.end() ? nullptr : &*found;
}

void BlockTranslator::note_steps(const std::vector<Step>& steps, const GuestBlock& guest, unsigned rounds,
                                 EmissionNotes& notes) {
  notes.rounds = rounds;
  for (const Step& step : steps)
    notes.instructions.push_back({step.guest->eip - guest.eip, {step.treatment, step.choice}});
}

unsigned BlockTranslator::links_of(const std::vector<Step>& steps) {
  unsigned links = 0;
  for (const Step& step : steps) {
    const bool last = &step == &steps.back();
    switch (step.treatment) {
      case Treatment::jump:
      case Treatment::call:
        if ((step.live.fields & kLiveImmediate) == 0) ++links;
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

std::unique_ptr<TranslationBlock> BlockTranslator::translate(const GuestBlock& guest, ModeKey mode,
                                                             bool roams) {
  auto block = std::make_unique<TranslationBlock>();
  block->eip = guest.eip;
  block->linear = guest.linear;
  block->mode = mode;
  block->pages[0] = guest.pages[0];
  block->pages[1] = guest.pages[1];
  block->first_byte = static_cast<u16>(guest.linear & kPageOffsetMask);
  block->global = guest.global;

  const Plan planned = plan(guest, mode);
  const std::vector<Step>& steps = planned.steps;
  const auto count = static_cast<unsigned>(steps.size());
  block->instructions = static_cast<u16>(count);
  block->source = source_of(guest, steps);
  block->make_links(links_of(steps));
  const unsigned rounds = rounds_of(guest, steps);
  block->relocatable = roams && may_relocate(guest, mode);
  Emitter emitter(stubs_, mode, guest.global && !mode.shifting(), block->relocatable);
  EmissionNotes notes;
  if (listener_ != nullptr) {
    note_steps(steps, guest, rounds, notes);
    emitter.keep_notes(&notes);
  }
  emitter.begin(cache_.next(), guest.eip, guest.linear);
  emitter.begin_instruction(guest.instructions.front().insn, guest.eip, false);
  const Emitter::Head head = emitter.begin_head(guest.eip);
  const u32 entry_offset = emitter.offset();
  if (counting_ == Counting::exact) emitter.take_from_budget(guest.eip, count);
  if (counting_ == Counting::by_block) emitter.count_executed(static_cast<i32>(count * rounds));
  if (listener_ != nullptr) emitter.count_entry(listener_->counters_of_next());

  emit_body(emitter, guest, planned, rounds, *block);
  RS_CHECK(emitter.finish(buffer_));
  if (buffer_.size() > std::min(kMaxBlockBytes, cache_.free_bytes())) return nullptr;
  block->code = cache_.append(buffer_);
  block->polled_entry = block->code + head.polled;
  block->landing = block->code + (block->relocatable ? head.landing : entry_offset);
  block->entry = block->code + entry_offset;
  block->host_bytes = static_cast<u32>(buffer_.size());
  block->number = static_cast<u32>(counters_.blocks);
  block->marks = emitter.marks();
  place_links(emitter, *block);
  for (const auto& [site, resume] : emitter.interpret_sites())
    if (!site->last) site->resume = block->code + resume;
  listing_.translated(guest, *block, emitter.starts());
  if (listener_ != nullptr) listener_->on_translated(guest, *block, notes);
  ++counters_.blocks;
  counters_.guest_instructions += block->instructions;
  counters_.guest_bytes += block->guest_bytes;
  counters_.host_bytes += block->host_bytes;
  return block;
}

void BlockTranslator::begin_step(Emitter& emitter, const Plan& plan, unsigned step) {
  const auto& [guest, treatment, choice, soft, live] = plan.steps[step];
  emitter.begin_instruction(guest->insn, guest->eip, soft, live);
  const SharedLookup* const shared = plan.shared_at(step);
  if (shared == nullptr) return;
  if (shared->first == step) emitter.begin_shared(*shared);
  emitter.share(shared->offset_of(step));
}

void BlockTranslator::end_step(Emitter& emitter, const Plan& plan, unsigned step) {
  const SharedLookup* const shared = plan.shared_at(step);
  if (shared != nullptr && shared->last == step) emitter.end_shared();
}

void BlockTranslator::emit_copies(Emitter& emitter, const Plan& plan, TranslationBlock& block) {
  for (unsigned span = 0; span < emitter.shared_spans(); ++span) {
    const SharedLookup& shared = emitter.begin_copy(span);
    for (unsigned i = shared.first; i <= shared.last; ++i) {
      const auto& [next, treatment, choice, soft, live] = plan.steps[i];
      emitter.begin_instruction(next->insn, next->eip, soft, live);
      if (ends_block(treatment))
        translate_stack_of_branch(emitter, *next, treatment);
      else
        translate_one(emitter, *next, treatment, block);
    }
    emitter.end_copy(span);
  }
}

void BlockTranslator::emit_body(Emitter& emitter, const GuestBlock& guest, const Plan& plan, unsigned rounds,
                                TranslationBlock& made) {
  TranslationBlock* const block = &made;
  const std::vector<Step>& steps = plan.steps;
  const auto count = static_cast<unsigned>(steps.size());
  const asmjit::Label out = emitter.as().newLabel();
  emit_first_rounds(emitter, plan, rounds, out, *block);
  for (unsigned i = 0; i < count; ++i) {
    const auto& [next, treatment, choice, soft, live] = steps[i];
    begin_step(emitter, plan, i);
    if (rounds > 1 && i + 1 == count) emitter.bind_loop_exit(out);
    const u32 sites_before = block->site_count;
    if (treatment == Treatment::jump_if && i + 1 < count) {
      const unsigned unexecuted = counting_ == Counting::none ? 0 : count - i - 1;
      emitter.leave_if(next->insn.opcode & 15, next->branch_target(), block->take_link(), unexecuted);
    } else if (ends_block(treatment)) {
      translate_stack_of_branch(emitter, *next, treatment);
      end_step(emitter, plan, i);
      translate_one(emitter, *next, treatment, *block);
    } else {
      translate_one(emitter, *next, treatment, *block);
      end_step(emitter, plan, i);
    }
    if (block->site_count != sites_before) {
      block->sites.front().unexecuted = static_cast<u8>(count - i);
      block->sites.front().last = ends_block(treatment);
    }
    if (counting_ == Counting::exact) block->starts.push_back(static_cast<u16>(next->eip - guest.eip));
    block->guest_bytes = static_cast<u16>(next->eip + next->insn.length - guest.eip);
  }
  const bool ended = ends_block(steps.back().treatment);
  const bool shadowed = count > 1 && steps[count - 2].treatment == Treatment::set_if;
  if (!ended) {
    emitter.restore_flags();
    const Emitter::Because because(emitter, EmissionReason::next_block);
    emitter.jump_to_link(guest.eip + block->guest_bytes, block->take_link(), shadowed);
  }
  emit_copies(emitter, plan, *block);
}

}  // namespace ringshift::bt
