// mode_treatment: what an instruction's Treatment becomes in a mode, and what decides it.
#pragma once

#include <string_view>

#include "translator/failing_sites.h"
#include "translator/guest_block.h"
#include "translator/treatment.h"

namespace ringshift::bt {

// What decides how an instruction is treated, beside the allow-list.
enum class TreatmentChoice : u8 {
  allow_list,       // nothing: the instruction's own treatment
  fpu_off,          // CR0.TS or EM
  sse_off,          // CR4.OSFXSR
  direction,        // CLD or STD changes the mode
  direction_known,  // CLD or STD changes nothing
  privilege,        // CPL or IOPL has a say
  real_mode,        // segment loads and transfers by descriptors only
  stack16,          // ESP is not all of the stack pointer
  not_window,       // it is in line under a window on flat segments only
  host_tsc,         // RDTSC: the guest's counter doesn't follow from the host's here
  segment_type,     // the segment's type forbids the access
  target_limit,     // the branch's target is beyond CS's limit
  high_byte,        // AH..BH are out of a window's reach
  shadow,           // STI's shadow reaches into the next block
  no_branch,        // a branch to what follows anyway
  failed_window,    // a remedy: lookups instead of a window
  failed_inline,    // a remedy: the interpreter, at once
};
inline constexpr unsigned kTreatmentChoices = static_cast<unsigned>(TreatmentChoice::failed_inline) + 1;

// In a word or two.
std::string_view name_of(Treatment treatment);

struct ModeTreatment {
  Treatment treatment;
  TreatmentChoice choice;
};

// For people, with a full stop; empty if there is nothing to say.
std::string_view sentence_of(ModeTreatment decided);

// soft: by lookups, though the mode has a window.
ModeTreatment treatment_in(const GuestInstruction& guest, ModeKey mode, bool soft);
// The same, executed by the interpreter: within the block, or at its end.
Treatment interpreted(Treatment treatment);
// Whether a window doesn't serve it, because AH..BH would be out of reach.
bool out_of_reach(const Instruction& insn, ModeKey mode);

}  // namespace ringshift::bt
