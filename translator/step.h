// Step: an instruction of a block-to-be, and what becomes of it.
#pragma once

#include "translator/guest_block.h"
#include "translator/live_operands.h"
#include "translator/mode_treatment.h"

namespace ringshift::bt {

struct Step {
  const GuestInstruction* guest;
  Treatment treatment;
  TreatmentChoice choice;
  bool soft;  // by lookups, though the mode has a window
  LiveFields live;
};

}  // namespace ringshift::bt
