// Emitter: host code for one block, over AsmJit: guest registers, flags, lookups, exits.
//
// Arithmetic flags are either in RFLAGS or, once a lookup had to clobber them, in r12 as
// LAHF and SETO leave them in AX; `flags_saved()` says which. Every way out of the hot path is a cold stub
// after the block, which first brings the flags back to RFLAGS.
#pragma once

#include <asmjit/x86.h>

#include <utility>
#include <vector>

#include "cpu-model/instruction.h"
#include "translator/bt_context.h"
#include "translator/code_cache.h"
#include "translator/history/block_counters.h"
#include "translator/history/emission_notes.h"
#include "translator/listing.h"
#include "translator/live_operands.h"
#include "translator/shared_lookup.h"
#include "translator/translation_block.h"

namespace ringshift::bt {

// Entry points of the shared stubs at the start of the cache (translator/runtime_stubs.h).
struct RuntimeStubs {
  const u8* enter = nullptr;      // void (BtContext*, const u8* host_pc)
  const u8* leave = nullptr;      // a continuation: returns from enter
  const u8* access = nullptr;     // a lookup missed: r8d gva, r9d AccessInfo, r10d eip, r11 where to retry
  const u8* write = nullptr;      // the same for a store, with the instruction's r11 in BtContext::saved_r11
  const u8* interpret = nullptr;  // r9d AccessInfo::kFpu or 0, r10d eip, r11 InterpretSite* or null
  const u8* chain = nullptr;      // r10d target eip, r11 Link*
  const u8* jump = nullptr;       // r10d target eip, not in the jump table
  const u8* port = nullptr;       // r8d port, r9d PortInfo, r10d eip, r11 InterpretSite*
  // Light helpers: r8d value, r9d info, r10d eip, r11 InterpretSite* (translator/light_transitions.h).
  const u8* light_segment = nullptr;
  const u8* light_sysenter = nullptr;
  const u8* light_sysexit = nullptr;
  const u8* light_iret = nullptr;
  const u8* light_cr0 = nullptr;
  const u8* light_cpuid = nullptr;
  const u8* light_interrupt = nullptr;
  const u8* lookup = nullptr;  // r8d target eip: through the jump table, else as `jump`
  const u8* events = nullptr;  // r10d eip: something is pending
};

// r9d of RuntimeStubs::port: the operand's size, and the direction.
struct PortInfo {
  static constexpr u32 kOut = 1u << 3;
  static constexpr u32 kSizeMask = 7;
};

enum class Access : u8 { read, write };

class Emitter {
 public:
  // global: the block's pages are, so that its links between pages may be fixed. relocatable:
  // TranslationBlock's.
  Emitter(const RuntimeStubs& stubs, ModeKey mode, bool global, bool relocatable = false)
      : stubs_(stubs), mode_(mode), global_(global), relocatable_(relocatable) {}

  // Starts the block of guest code at eip, CS.base + eip = linear; it will stand at `address`.
  void begin(const u8* address, u32 eip, Gva linear);
  // Emits the cold stubs and gives the finished code; false if AsmJit failed (too large).
  bool finish(std::vector<u8>& code);

  // --- why it emits what it does
  // What is emitted is noted from here on; null: it isn't.
  void keep_notes(EmissionNotes* notes) { notes_ = notes; }
  // While it lives, what is emitted has this reason.
  class Because {
   public:
    Because(Emitter& emitter, EmissionReason reason)
        : emitter_(emitter), before_(std::exchange(emitter.reason_, reason)) {
      emitter_.note_reason();
    }
    ~Because() {
      emitter_.reason_ = before_;
      emitter_.note_reason();
    }
    Because(const Because&) = delete;

   private:
    Emitter& emitter_;
    EmissionReason before_;
  };

  asmjit::x86::Assembler& as() { return assembler_; }
  const RuntimeStubs& stubs() const { return stubs_; }
  ModeKey mode() const { return mode_; }
  u32 offset() const { return static_cast<u32>(code_.textSection()->bufferSize()); }

  // --- per instruction
  // Starts a guest instruction. soft: by lookups, though the mode has a window.
  void begin_instruction(const Instruction& insn, u32 eip, bool soft, LiveFields live);
  void begin_instruction(const Instruction& insn, u32 eip, bool soft) {
    begin_instruction(insn, eip, soft, LiveFields{});
  }
  bool live_immediate() const { return (live_.fields & kLiveImmediate) != 0; }
  // dst = the instruction's live field as it stands now, extended to 32 bits by its sign.
  void load_live(asmjit::x86::Gp dst, OperandField field);

  // --- flags
  bool flags_saved() const { return flags_saved_; }
  // Brings the flags back to RFLAGS, if they are in r12.
  void restore_flags();
  // Before an instruction that reads flags, or overwrites only some of them, while others may live in r12.
  void prepare_flags(const Instruction& insn);
  // After an instruction was emitted: one that overwrote all flags makes what is in r12 stale.
  void settle_flags(const Instruction& insn);

  // --- memory
  // Before an instruction's first address: saves the flags, if lookups will clobber them; a lookup that
  // missed comes back to here.
  void begin_memory();
  // The host operand for an access of the instruction's memory operand; what is emitted next must be the one
  // host instruction that uses it. Clobbers r8-r10 and RFLAGS, nothing of the guest.
  asmjit::x86::Mem memory(const Instruction& insn, Access access, u32 size, i32 esp_bias = 0);
  // The same for the linear address in r8d.
  asmjit::x86::Mem memory_at_r8(Access access, u32 size);
  // From the offset in r8d to its linear address, the segment's limit checked for `size` bytes: beyond it the
  // interpreter executes the instruction. Clobbers r9, r10 and RFLAGS, which it protects.
  void linear_at_r8(Seg segment, u32 size);
  // The same for a branch's target in `target` and CS's limit; an operand size of 16 bits truncated it.
  void check_target(asmjit::x86::Gp target, u32 operand_size);
  // Through a window in this instruction; else through lookups.
  bool window() const { return window_; }
  // dst = offset of the memory operand. esp_bias is added if the base is ESP (POP mem).
  void load_offset(asmjit::x86::Gp dst, const Instruction& insn, i32 esp_bias = 0);
  // The same for LEA, whose purpose it is.
  void load_address(asmjit::x86::Gp dst, const Instruction& insn, i32 esp_bias = 0);
  // Saves the flags ahead of code that clobbers RFLAGS; dead ones too, for a fault must show them.
  void protect_flags();

  // --- lookups that several instructions share (emitter_shared.cpp)
  // Within the first of them: the lookup, whose address r11 holds until end_shared(). Where it misses, and
  // where another lookup until then does, the instructions go on in a copy of theirs without it.
  void begin_shared(const SharedLookup& shared);
  // This instruction's memory operand is at that offset of the shared lookup's range, unless kNotShared.
  void share(i32 offset) { shared_offset_ = offset; }
  // After the last access of theirs.
  void end_shared();
  // Of the block so far. The copy of each is emitted, by lookups of their own, between begin_copy and
  // end_copy; all behind the block.
  unsigned shared_spans() const { return static_cast<unsigned>(spans_.size()); }
  const SharedLookup& begin_copy(unsigned span);
  void end_copy(unsigned span);

  // --- copying instructions
  // The instruction with its register operands, without segment, address-size and meaningless prefixes.
  void copy_registers(const Instruction& insn);
  // The same with its memory operand where memory is.
  void copy_with_memory(const Instruction& insn, Access access, u32 size);

  // --- leaving
  // Links out of the block: `at` is where the rel32 stands; the exit stub is emitted cold.
  struct PendingLink {
    u32 target_eip;
    bool backward;
    u32 patch_offset;
    u32 stub_offset;
    u32 lookup_offset;  // of the stub that looks in the jump table each time
    Link* link;
    u32 owner;  // as a guest offset: the instruction that leaves
  };
  // jmp to a link's target; Link fields are filled from pending_links() after finish().
  // polled: enter it where events are polled, though it lies ahead.
  void jump_to_link(u32 target_eip, Link* link, bool polled = false);
  // jcc (host condition code 0-15) to a link's target.
  void jump_if_to_link(unsigned condition, u32 target_eip, Link* link);
  // On a condition code, to a link's target, ahead in the guest; `unexecuted` instructions of the block were
  // counted, if any were. What is emitted next is where it isn't taken.
  void leave_if(unsigned condition, u32 target_eip, Link* link, unsigned unexecuted);
  const std::vector<PendingLink>& pending_links() const { return links_; }
  // r8d holds the target eip: through the jump table, else RuntimeStubs::jump. Flags are in RFLAGS.
  void jump_indirect();
  // The interpreter executes the site's instruction; the code emitted next is where it may go on.
  void interpret(InterpretSite* site);
  // A stub does, with r8d and `info`, or has the interpreter do it.
  void call_site(const u8* stub, InterpretSite* site, u32 info);
  // The same in a branch that the hot path jumps around; it goes on where resume_here() is called.
  void interpret_aside(InterpretSite* site);
  void resume_here(InterpretSite* site) { interpret_sites_.emplace_back(site, offset()); }
  // Counts instructions in BtContext::executed; keeps the flags.
  void count_executed(i32 instructions);
  // On a condition code, out of a loop's block by `out`, before `unexecuted` instructions that were counted,
  // if any were.
  void leave_loop_if(unsigned condition, unsigned unexecuted, asmjit::Label out);
  // Counts an execution of the block, and at the side exits and loop exits that follow those who leave there;
  // null: not.
  void count_entry(BlockCounters* counters);
  // Of a tight loop: what is emitted next is another time over.
  void end_round() {
    if (notes_ != nullptr) ++notes_->round;
  }
  // `out` is where the next jump_if_to_link() doesn't branch.
  void bind_loop_exit(asmjit::Label out) { loop_exit_ = out; }
  // The sites, and where they go on, by offset.
  const std::vector<std::pair<InterpretSite*, u32>>& interpret_sites() const { return interpret_sites_; }
  // dst = an EIP of the block's page or another; keeps the flags.
  void load_eip(asmjit::x86::Gp dst, u32 eip);
  // The block's head: an entry that looks for events, and one from the jump table; both go on with the code
  // emitted next, and keep the flags.
  struct Head {
    u32 polled, landing;  // offsets
  };
  Head begin_head(u32 eip);
  // The same within a block, with the flags in r12: something may be deliverable now, before eip.
  void leave_if_events(u32 eip);
  // Takes the block's instructions from BtContext::budget, or leaves if it has fewer; keeps the flags.
  void take_from_budget(u32 eip, u32 instructions);

  const std::vector<InstructionMark>& marks() const { return marks_; }
  // Where each guest instruction's code begins, for the listing.
  const std::vector<InstructionStart>& starts() const { return starts_; }
  // The code emitted next may fault on the host; remember which guest instruction it belongs to.
  // clipped: InstructionMark's.
  void mark(bool clipped = false);

 private:
  struct ColdSite {
    asmjit::Label label;
    asmjit::Label retry;
    u32 eip;
    u32 info;
    bool flags_saved;
  };
  struct ColdInterpret {
    asmjit::Label label;
    u32 eip;
    bool fpu;
    bool flags_saved;
  };
  struct ColdPoll {
    asmjit::Label label;
    u32 eip;
    u32 owner;
  };
  struct ColdBudget {
    asmjit::Label label;
    u32 eip;
    u32 instructions;
  };
  struct ColdLoopExit {
    asmjit::Label label;
    asmjit::Label out;
    u32 unexecuted;
    u32 owner;
    u64* taken;
  };
  struct ColdSideExit {
    asmjit::Label label;
    u32 target_eip;
    Link* link;
    unsigned unexecuted;
    u32 owner;
    u64* taken;
  };
  // Where the hot code goes on in the copy, at the instruction at eip.
  struct CopyEntry {
    u32 eip;
    asmjit::Label label;
  };
  struct SharedSpan {
    const SharedLookup* lookup;
    asmjit::Label copy, rejoin;
    bool flags_saved;  // at `rejoin`
    std::vector<CopyEntry> entries;
  };
  // A lookup that missed while another was shared.
  struct SharedMiss {
    asmjit::Label label, target;
    bool flags_saved;
    u32 owner;
  };
  enum class MemoryForm { window, lookup, shared };

  void note_reason() {
    if (notes_ != nullptr)
      notes_->begin(offset(), owner_, copying_ ? EmissionReason::cold_separate : reason_);
  }
  bool shared() const { return shared_offset_ != SharedLookup::kNotShared; }
  void enter_copy(u32 eip);
  void go_on_in_copy(asmjit::Label missed);
  void begin_cold();
  void emit_cold();
  void emit_shared_misses();
  void emit_cold_accesses();
  void emit_cold_leaves();
  void emit_cold_exits();
  void emit_link_stub(PendingLink& link);
  void count_taken(u64* taken);
  void align_head();
  void give_back_to_budget(u32 instructions);
  // Both keep the flags; r8, or r9, is clobbered.
  void add_to_context(std::size_t field, i32 addend);
  template <class Load>
  void jump_unless_zero(asmjit::Label target, const Load& load_ecx);
  void jump_with_site(const u8* stub, const InterpretSite* site, u32 info);
  u32 instructions_from(u32 eip) const;
  // r8d holds a linear address: makes [r9 + r8] its host address, or goes the slow way.
  void lookup(Access access, u32 size);
  // The same as far as r9; the label is where it goes else.
  asmjit::Label look_up(Access access, u32 size);
  bool folds(const Instruction& insn) const;
  bool live_displacement(const Instruction& insn) const {
    return &insn == insn_ && (live_.fields & kLiveDisplacement) != 0;
  }
  void emit_tail(const Instruction& insn);
  void copy_folded(const Instruction& insn);
  void copy_at(const Instruction& insn, MemoryForm form);
  asmjit::Label interpret_cold();
  bool linkable(u32 target_eip) const;
  void emit_restore_flags();
  void emit_prefixes(const Instruction& insn);
  void emit_opcode(const Instruction& insn);
  void add_link(u32 target_eip, Link* link, bool backward);
  void jump_to(const u8* target);

  const RuntimeStubs& stubs_;
  ModeKey mode_;
  bool global_;
  bool relocatable_;
  asmjit::CodeHolder code_;
  asmjit::x86::Assembler assembler_;
  const u8* address_ = nullptr;
  u32 block_eip_ = 0;
  u32 cs_base_ = 0;

  const Instruction* insn_ = nullptr;
  u32 eip_ = 0;
  u32 owner_ = EmissionSpan::kHead;  // the instruction, as a guest offset
  EmissionReason reason_ = EmissionReason::identity;
  EmissionNotes* notes_ = nullptr;
  BlockCounters* counters_ = nullptr;
  unsigned side_exits_ = 0, loop_exits_ = 0;
  LiveFields live_;
  bool window_ = false;
  bool flags_saved_ = false;
  asmjit::Label retry_;
  i32 shared_offset_ = SharedLookup::kNotShared;
  std::vector<SharedSpan> spans_;
  SharedSpan* span_ = nullptr;  // that the code emitted belongs to: itself or, if copying_, its copy
  bool copying_ = false;
  std::vector<SharedMiss> shared_misses_;
  std::vector<ColdSite> cold_;
  std::vector<ColdInterpret> cold_interprets_;
  std::vector<ColdPoll> cold_polls_;
  std::vector<ColdBudget> cold_budgets_;
  std::vector<ColdLoopExit> cold_loop_exits_;
  std::vector<ColdSideExit> cold_side_exits_;
  std::vector<PendingLink> links_;
  asmjit::Label loop_exit_;
  std::vector<std::pair<InterpretSite*, u32>> interpret_sites_;
  std::vector<InstructionMark> marks_;
  std::vector<InstructionStart> starts_;
};

}  // namespace ringshift::bt
