// EmissionNotes: which host bytes of a block stand for which guest instruction, and why. Kept only when asked
// for.
#pragma once

#include <vector>

#include "translator/history/emission_reason.h"
#include "translator/mode_treatment.h"

namespace ringshift::bt {

// From host_offset up to the next span's.
struct EmissionSpan {
  static constexpr u32 kHead = ~u32{0};  // guest_offset of what belongs to no instruction
  u32 host_offset;
  u32 guest_offset;
  EmissionReason reason;
  u8 round;  // of a tight loop's, from 0

  bool continues(const EmissionSpan& before) const {
    return guest_offset == before.guest_offset && reason == before.reason && round == before.round;
  }
};

// What the instruction became, and what decided it.
struct InstructionNote {
  u32 guest_offset;
  ModeTreatment decided;
};

// A link out of the block.
struct ExitNote {
  EmissionReason ending;
  u32 guest_offset;  // of the instruction that leaves by it
  u32 target_eip;
  bool backward;
  const Link* link;
  u32 patch_offset;  // of its rel32
  bool linkable;     // else it goes through the jump table each time: the mapping may change
};

struct EmissionNotes {
  std::vector<EmissionSpan> spans;
  std::vector<InstructionNote> instructions;
  std::vector<ExitNote> exits;
  u32 cold_offset = 0;  // where the code behind the block begins
  unsigned rounds = 1;  // how many times over a tight loop was emitted
  unsigned round = 0;   // that is being emitted

  // The code ends there.
  void end(u32 host_offset) {
    if (!spans.empty() && spans.back().host_offset == host_offset) spans.pop_back();
  }
  // What is emitted at host_offset and behind it has this reason.
  void begin(u32 host_offset, u32 guest_offset, EmissionReason reason) {
    if (!spans.empty() && spans.back().host_offset == host_offset) spans.pop_back();
    const EmissionSpan next{host_offset, guest_offset, reason, static_cast<u8>(round)};
    if (spans.empty() || !next.continues(spans.back())) spans.push_back(next);
  }
};

}  // namespace ringshift::bt
