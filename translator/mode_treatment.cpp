// What the mode adds to an instruction's own treatment.
#include "translator/mode_treatment.h"

#include <Zydis/Mnemonic.h>

#include <array>

namespace ringshift::bt {

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

using Choice = TreatmentChoice;

constexpr std::array<std::string_view, kTreatmentChoices> kSentences = {
    "",
    "CR0.TS or CR0.EM is set: the interpreter raises what x87, MMX and SSE instructions raise then.",
    "CR4.OSFXSR is clear: the interpreter raises #UD for SSE.",
    "The direction flag is part of the block's mode: changing it leaves for blocks of the other one.",
    "The block's mode has that direction already: nothing is left to do.",
    "At this privilege level it may be forbidden, or change less than at CPL 0: the interpreter decides.",
    "In real and v8086 mode there are no descriptors to load by: the interpreter does it.",
    "SP is only a part of ESP (a 16-bit stack or operand): the interpreter does it.",
    "It is in line under a window on flat segments only: elsewhere the call is shorter.",
    "The guest's time-stamp counter doesn't follow from the host's here: the interpreter reads it.",
    "The segment's type forbids the access: the interpreter raises what the guest must see.",
    "The branch's target is beyond CS's limit: the interpreter raises the fault if it is taken.",
    "AH, CH, DH and BH can't be named beside a scratch register, and a fault in between would show them "
    "swapped: lookups, not the window.",
    "STI's shadow reaches into the next block: the virtual CPU's state has to keep it.",
    "It branches to what follows anyway: nothing is emitted.",
    "It failed in the window again and again (a device, page tables, user memory, demand faults): lookups, "
    "not "
    "the window.",
    "It failed in line again and again (a device, exceptions): the interpreter does it at once.",
};

constexpr std::string_view kNames[] = {
    "interpreted, ends the block",
    "interpreted",
    "copied",
    "nothing to do",
    "short INC/DEC",
    "MOV by absolute address",
    "LEA",
    "bit string",
    "PUSH",
    "POP",
    "PUSHAD",
    "POPAD",
    "LEAVE",
    "string",
    "REP string",
    "CLI",
    "STI",
    "PUSHF",
    "POPF",
    "PUSH of a selector",
    "segment load",
    "RDTSC",
    "port",
    "CPUID",
    "INT n",
    "MOV from a control register",
    "CLD/STD",
    "jump",
    "conditional jump",
    "jump by counter",
    "call",
    "indirect jump",
    "indirect call",
    "return",
    "SYSENTER",
    "SYSEXIT",
    "IRET",
    "CR0",
};
static_assert(std::size(kNames) == static_cast<unsigned>(Treatment::write_cr0) + 1);

}  // namespace

std::string_view sentence_of(ModeTreatment decided) {
  const auto& [treatment, choice] = decided;
  const bool denied = treatment == Treatment::interpret || treatment == Treatment::interpret_last;
  if (denied && choice == Choice::allow_list)
    return "Not on the list of what may run in the cache: sensitive, or rare.";
  return kSentences[static_cast<unsigned>(choice)];
}
std::string_view name_of(Treatment treatment) { return kNames[static_cast<unsigned>(treatment)]; }

Treatment interpreted(Treatment treatment) {
  return ends_block(treatment) ? Treatment::interpret_last : Treatment::interpret;
}

// Under a window, where the operand can't stand in the instruction itself, AH..BH are out of reach
// (emitter.h, copy_at): it goes by lookups.
bool out_of_reach(const Instruction& insn, ModeKey mode) {
  const bool folds = insn.address_size == 4 && flat(mode, insn.segment);
  return !folds && insn.memory_form() && names_high_byte(insn);
}

ModeTreatment treatment_in(const GuestInstruction& guest, ModeKey mode, bool soft) {
  const Instruction& insn = guest.insn;
  const Treatment treatment = treatment_of(insn);
  const auto interpret_for = [](Choice choice) { return ModeTreatment{Treatment::interpret, choice}; };
  const auto own_if = [&](bool own, Choice otherwise) {
    return own ? ModeTreatment{treatment, Choice::allow_list} : interpret_for(otherwise);
  };
  if (uses_fpu_state(insn) && mode.fpu_off()) return interpret_for(Choice::fpu_off);
  if (uses_sse(insn) && mode.sse_off()) return interpret_for(Choice::sse_off);
  const bool window = mode.window() && !soft;
  switch (treatment) {
    case Treatment::direction:
      if (changes_direction(insn, mode)) return interpret_for(Choice::direction);
      return {Treatment::nothing, Choice::direction_known};
    case Treatment::clear_if:
    case Treatment::set_if:
      return own_if(mode.cpl() == 0, Choice::privilege);
    case Treatment::pop_flags:
      if (mode.v86()) return interpret_for(Choice::privilege);
      break;
    case Treatment::load_segment:  // the light helpers know descriptors, and 32-bit stacks
      if (mode.real_segments()) return interpret_for(Choice::real_mode);
      if (mode.stack16()) return interpret_for(Choice::stack16);
      if (insn.mnemonic == ZYDIS_MNEMONIC_POP && !mode.readable(Seg::ss))
        return interpret_for(Choice::segment_type);
      break;
    case Treatment::read_control:
      if (mode.cpl() == 0) return {treatment, Choice::allow_list};
      return {Treatment::interpret_last, Choice::privilege};
    case Treatment::write_cr0:
      if (mode.cpl() != 0) return {Treatment::interpret_last, Choice::privilege};
      [[fallthrough]];
    case Treatment::sysenter:
    case Treatment::sysexit:
    case Treatment::interrupt_return:
      if (mode.real_segments()) return {Treatment::interpret_last, Choice::real_mode};
      break;
    case Treatment::software_interrupt:
      if (!mode.hooked() || mode.real_segments()) return {Treatment::interpret_last, Choice::allow_list};
      break;
    case Treatment::push_all:  // by lookups they would be longer than the call
    case Treatment::pop_all:
      return own_if(window && flat(mode, Seg::ss) && !mode.stack16(), Choice::not_window);
    case Treatment::push_flags:  // IOPL decides in v8086 mode
      if (mode.v86()) return interpret_for(Choice::privilege);
      break;
    case Treatment::pop:
      if (pops_partial_esp(insn, mode)) return interpret_for(Choice::stack16);
      break;
    case Treatment::read_tsc:
      return own_if(mode.direct_tsc(), Choice::host_tsc);
    case Treatment::rep_string:
      return own_if(window && flat(mode, Seg::es) && flat(mode, insn.segment), Choice::not_window);
    default:
      break;
  }
  if (!segments_allow(insn, treatment, mode)) return {interpreted(treatment), Choice::segment_type};
  if (!target_allowed(guest, treatment, mode)) return {interpreted(treatment), Choice::target_limit};
  return {treatment, Choice::allow_list};
}

}  // namespace ringshift::bt
