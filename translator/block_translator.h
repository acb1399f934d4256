// BlockTranslator: from a GuestBlock to host code in the cache.
#pragma once

#include <memory>

#include "cpu-model/interp/interpreter.h"
#include "translator/emitter.h"
#include "translator/failing_sites.h"
#include "translator/guest_block.h"
#include "translator/history/history_listener.h"
#include "translator/mode_treatment.h"
#include "translator/treatment.h"

namespace ringshift::bt {

struct TranslationCounters {
  u64 blocks = 0;
  u64 guest_instructions = 0;
  u64 guest_bytes = 0;
  u64 host_bytes = 0;
};

// How executed instructions are counted: not at all, in BtContext::executed when a block is entered, or from
// a budget (translator/exact_count.h).
enum class Counting : u8 { none, by_block, exact };

class BlockTranslator {
 public:
  BlockTranslator(CodeCache& cache, const RuntimeStubs& stubs, const Interpreter& interpreter,
                  Listing& listing, Counting counting = Counting::none)
      : cache_(cache), stubs_(stubs), interpreter_(interpreter), listing_(listing), counting_(counting) {}

  // What a block takes at most.
  static constexpr u64 kMaxBlockBytes = 32 * 1024;

  // Fills a block for guest code that isn't empty. Null if the cache has no room.
  std::unique_ptr<TranslationBlock> translate(const GuestBlock& guest, ModeKey mode);
  // Instructions whose translation keeps failing are translated otherwise.
  FailingSites& failing() { return failing_; }
  // Hears of each block, with notes of what was emitted and why; null: nobody does.
  void set_listener(HistoryListener* listener) { listener_ = listener; }
  const TranslationCounters& counters() const { return counters_; }

 private:
  // An instruction of the block-to-be, and what becomes of it.
  struct Step {
    const GuestInstruction* guest;
    Treatment treatment;
    TreatmentChoice choice;
    bool soft;
    Emitter::LiveFields live;
  };
  static void begin(Emitter& emitter, const Step& step) {
    emitter.begin_instruction(step.guest->insn, step.guest->eip, step.soft, step.live);
  }
  // What the block is made of; null: nobody will ask.
  static std::unique_ptr<BlockSource> source_of(const GuestBlock& guest, const std::vector<Step>& steps);
  Step plan_one(const GuestBlock& guest, const GuestInstruction& next, ModeKey mode) const;
  std::vector<Step> plan(const GuestBlock& guest, ModeKey mode) const;
  static void note_steps(const std::vector<Step>& steps, const GuestBlock& guest, unsigned rounds,
                         EmissionNotes& notes);
  // How many links the block needs.
  static unsigned links_of(const std::vector<Step>& steps);
  // --- blocks that branch back to their own start (tight_loop.cpp)
  // How many times over the block is to be emitted; 1 for most.
  unsigned rounds_of(const GuestBlock& guest, const std::vector<Step>& steps) const;
  // All rounds but the last. Their ways out of the loop lead to `out`, which the last one's branch binds.
  void emit_first_rounds(Emitter& emitter, const std::vector<Step>& steps, unsigned rounds, asmjit::Label out,
                         TranslationBlock& block);
  void emit_body(Emitter& emitter, const GuestBlock& guest, const std::vector<Step>& steps, unsigned rounds,
                 TranslationBlock& block);
  void translate_one(Emitter& emitter, const GuestInstruction& guest, Treatment treatment,
                     TranslationBlock& block);
  InterpretSite* new_site(const GuestInstruction& guest, TranslationBlock& block);

  CodeCache& cache_;
  const RuntimeStubs& stubs_;
  const Interpreter& interpreter_;
  Listing& listing_;
  Counting counting_;
  FailingSites failing_;
  TranslationCounters counters_;
  std::vector<u8> buffer_;
  HistoryListener* listener_ = nullptr;
};

}  // namespace ringshift::bt
