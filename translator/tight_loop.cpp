// Tight loops: a block that branches back to its own start is emitted several times over.
//
// Polling for events and counting instructions take as long as a short loop's body: an SSE loop of 7
// instructions ran at 3 times its native time. Once in four rounds is soon enough for both.
#include <Zydis/Zydis.h>

#include "translator/block_translator.h"

namespace ringshift::bt {

namespace {

constexpr unsigned kRounds = BlockCounters::kMostLoopExits + 1;
constexpr std::size_t kMostInstructions = 16;

// Copies: code that stands alone, without a site or a way out of the block.
bool may_repeat(Treatment treatment) {
  switch (treatment) {
    case Treatment::identity:
    case Treatment::nothing:
    case Treatment::short_incdec:
    case Treatment::moffs:
    case Treatment::lea:
    case Treatment::bit_string:
    case Treatment::push:
    case Treatment::pop:
    case Treatment::string:
      return true;
    default:
      return false;
  }
}

}  // namespace

unsigned BlockTranslator::rounds_of(const GuestBlock& guest, const std::vector<Step>& steps) const {
  if (counting_ == Counting::exact || steps.size() > kMostInstructions) return 1;
  const auto& [last, treatment, choice, soft, live] = steps.back();
  if (treatment != Treatment::jump_if || last->branch_target() != guest.eip) return 1;
  for (std::size_t i = 0; i + 1 < steps.size(); ++i)
    if (!may_repeat(steps[i].treatment)) return 1;
  return kRounds;
}

void BlockTranslator::emit_first_rounds(Emitter& emitter, const Plan& plan, unsigned rounds,
                                        asmjit::Label out, TranslationBlock& block) {
  const std::vector<Step>& steps = plan.steps;
  const auto count = static_cast<unsigned>(steps.size());
  for (unsigned round = 1; round < rounds; ++round) {
    for (unsigned i = 0; i < count; ++i) {
      begin_step(emitter, plan, i);
      if (ends_block(steps[i].treatment)) break;
      translate_one(emitter, *steps[i].guest, steps[i].treatment, block);
      end_step(emitter, plan, i);
    }
    const unsigned leave_if = (steps.back().guest->insn.opcode & 15) ^ 1u;
    const unsigned counted = counting_ == Counting::by_block ? count * (rounds - round) : 0;
    emitter.leave_loop_if(leave_if, counted, out);
    emitter.end_round();
  }
}

}  // namespace ringshift::bt
