// BlockTranslator: from a GuestBlock to host code in the cache.
#pragma once

#include <memory>

#include "cpu-model/interp/interpreter.h"
#include "translator/emitter.h"
#include "translator/failing_sites.h"
#include "translator/guest_block.h"
#include "translator/history/history_listener.h"
#include "translator/mode_treatment.h"
#include "translator/shared_lookup.h"
#include "translator/step.h"
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

  // Fills a block for guest code that isn't empty; roams: it may be met at other addresses, too. Null if the
  // cache has no room.
  std::unique_ptr<TranslationBlock> translate(const GuestBlock& guest, ModeKey mode, bool roams);
  // Instructions whose translation keeps failing are translated otherwise.
  FailingSites& failing() { return failing_; }
  // Hears of each block, with notes of what was emitted and why; null: nobody does.
  void set_listener(HistoryListener* listener) { listener_ = listener; }
  const TranslationCounters& counters() const { return counters_; }

 private:
  struct Plan {
    std::vector<Step> steps;
    std::vector<SharedLookup> shared;

    // That the step is among the instructions of; null: none.
    const SharedLookup* shared_at(unsigned step) const;
  };
  // What the block is made of; null: nobody will ask.
  static std::unique_ptr<BlockSource> source_of(const GuestBlock& guest, const std::vector<Step>& steps);
  Step plan_one(const GuestBlock& guest, const GuestInstruction& next, ModeKey mode) const;
  Plan plan(const GuestBlock& guest, ModeKey mode) const;
  static void note_steps(const std::vector<Step>& steps, const GuestBlock& guest, unsigned rounds,
                         EmissionNotes& notes);
  // How many links the block needs.
  static unsigned links_of(const std::vector<Step>& steps);
  // --- blocks that branch back to their own start (tight_loop.cpp)
  // How many times over the block is to be emitted; 1 for most.
  unsigned rounds_of(const GuestBlock& guest, const std::vector<Step>& steps) const;
  // All rounds but the last. Their ways out of the loop lead to `out`, which the last one's branch binds.
  void emit_first_rounds(Emitter& emitter, const Plan& plan, unsigned rounds, asmjit::Label out,
                         TranslationBlock& block);
  void emit_body(Emitter& emitter, const GuestBlock& guest, const Plan& plan, unsigned rounds,
                 TranslationBlock& block);
  // Starts the step, and a shared lookup that it is the first of.
  static void begin_step(Emitter& emitter, const Plan& plan, unsigned step);
  static void end_step(Emitter& emitter, const Plan& plan, unsigned step);
  // What goes on where shared lookups missed.
  void emit_copies(Emitter& emitter, const Plan& plan, TranslationBlock& block);
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
