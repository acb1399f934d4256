// Dispatcher: the engine's loop: finds or makes the block for where the CPU stands, and serves the exits.
#pragma once

#include <unordered_map>
#include <vector>

#include "cpu-model/descriptor_memo.h"
#include "cpu-model/execution_engine.h"
#include "cpu-model/interp/interpreter.h"
#include "mmu-shadow/window_set.h"
#include "translator/address_space_heat.h"
#include "translator/block_table.h"
#include "translator/block_translator.h"
#include "translator/bt_engine.h"
#include "translator/exact_count.h"
#include "translator/fpu_sync.h"
#include "translator/host_faults.h"
#include "translator/mode_switch.h"
#include "translator/pauses.h"
#include "translator/runtime_stubs.h"
#include "translator/sampling_timer.h"
#include "translator/verifier.h"

namespace ringshift::bt {

class Dispatcher final : MmuObserver, PhysicalMapListener, HostFaultHandler {
 public:
  Dispatcher(Cpu& cpu, CodeCache cache, const BtOptions& options);
  ~Dispatcher();
  Dispatcher(const Dispatcher&) = delete;

  // Emits the stubs; makes the verifier, if there is to be one.
  Result<void> prepare(const BtOptions& options);
  ExitReason run(CpuIo& io);
  void report(StatsSink& sink) const;
  // The state or memory were set from outside.
  void restored() {
    if (verifier_ != nullptr) verifier_->forget();
  }
  // The host code of the block that the state leads to, made if need be.
  std::string list_next();
  std::string failure() const { return verifier_ != nullptr ? verifier_->failure() : std::string{}; }

 private:
  // --- helpers of the runtime stubs (dispatcher_helpers.cpp)
  static Dispatcher& self(BtContext* context) { return *static_cast<Dispatcher*>(context->engine); }
  static const u8* on_access(BtContext* context, const void* retry, u32 gva, u32 info);
  static const u8* on_interpret(BtContext* context, const void*, u32, u32 info);
  static const u8* on_chain(BtContext* context, const void* link, u32, u32);
  static const u8* on_jump(BtContext* context, const void*, u32, u32);
  static const u8* on_events(BtContext* context, const void*, u32, u32);
  static const u8* on_port(BtContext* context, const void* site, u32 port, u32 info);

  // The same under exact count: `unexecuted` tells how much of its block the code that called has to go.
  using Unexecuted = u32 (*)(Dispatcher& d, const void* argument, u32 gva);
  template <Helper helper, Unexecuted unexecuted>
  static const u8* counted(BtContext* context, const void* argument, u32 gva, u32 info);
  static Helpers counted_helpers();
  static u32 unexecuted_at_head(Dispatcher&, const void*, u32) { return 0; }
  static u32 unexecuted_at_lookup(Dispatcher& d, const void* retry, u32);
  static u32 unexecuted_at_site(Dispatcher& d, const void* site, u32 in_r8);

  // Where to go on for the state as it is, after whatever is due; RuntimeStubs::leave to end run().
  const u8* dispatch();
  // The block for the current state, translated if need be; null: interpret here. Raises the fetch's fault.
  Outcome<TranslationBlock*> current_block(ModeKey mode);
  TranslationBlock* translate(const GuestBlock& guest, ModeKey mode);
  void note_patches(GuestBlock& guest, ModeKey mode) const;
  // A store from translated code at `retry` to a page of code: whether it may be tried again, what depends on
  // its bytes having been dropped; else the interpreter must do it.
  bool admit_code_write(const void* retry, Gva gva, u32 size);
  AddressSpaceHeat::Cost window_cost() const;
  // Handles events; true: leave run().
  bool handle_events();
  // Under exact count: the next instruction must be interpreted, lest something come too late.
  bool must_step(const TranslationBlock& block) const;
  // Whether an event waits; "look again" alone (kEventInspect after POPF, STI) is looked into here.
  bool something_pending();
  // The interpreter executes one instruction; fpu: it may use x87/SSE state.
  void interpret_one(bool fpu, bool cached);
  u32 cs_base() const { return static_cast<u32>(cpu_.state.segment(Seg::cs).base); }
  // Takes over how the guest's TSC follows from the host's.
  void follow_tsc();
  // The physical address of an instruction in a block, for FailingSites; none for one that straddles pages.
  static Gpa site_in(const TranslationBlock& block, u32 guest_offset) {
    return block.one_page() ? block.pages[0] + block.first_byte + guest_offset : kNoPage;
  }
  // An access that no Tlb entry allows: perhaps a device's.
  void note_interpreted_access(const void* retry, Gva gva);
  // Tells the listener what has happened at the instruction where the block at `retry` stands.
  void note_lookup(const void* retry, BlockFault fault);
  // The same for a window; exists: the guest has the page.
  void note_window_fault(const TranslationBlock& block, u32 guest_offset, bool mapped, bool exists);
  // Drops the blocks of instructions that have just been given a remedy.
  void retranslate_failing();
  // Where code enters the block, whose first byte is at EIP.
  const u8* entry_at(const TranslationBlock& block) {
    if (block.relocatable) context_.page_eip = cpu_.state.eip() & ~kPageOffsetMask;
    return block.entry;
  }
  // EIP at an offset in the block that is running.
  u32 eip_in(const TranslationBlock& block, u32 offset) const {
    const u32 eip = block.relocatable ? context_.page_eip + (block.eip & kPageOffsetMask) : block.eip;
    return eip + offset;
  }
  bool may_link(const Link& link, const TranslationBlock& target) const;
  // The target stands at EIP.
  void remember_jump(const TranslationBlock& target);
  // Code addresses may lead elsewhere now: all of them, or those that aren't global.
  void forget_mappings();
  void forget_local_mappings();
  u64 mapping_of(const TranslationBlock& block) const {
    return block.global ? global_mapping_ : local_mapping_;
  }
  const u8* raise_at_access(const Fault& fault);
  // What a site's instruction, once executed, may go on with.
  struct Resumption {
    u64 epoch;
    const u8* resume;  // in its block; null: it ends it
    u32 next_eip;
    u32 unexecuted;  // instructions of the block behind it
  };
  Resumption resumption_of(const InterpretSite& site) const;
  // The interpreter executes the site's instruction.
  const u8* execute_site(InterpretSite& site);
  // The rest of the block, what followed last time, or whatever dispatch() finds. The site may be gone.
  const u8* continue_after(InterpretSite& site, const Resumption& resumption);
  void access_port(u16 port, u32 info);
  // What the interpreter has just made of descriptors, at the site, from code at this CPL.
  void remember_segments(const InterpretSite& site, u8 cpl);
  const u8* leave(ExitReason reason);
  void end_verified_run();
  // Every entry of a block passes dispatch(): none is linked or in the jump table.
  bool sees_entries() const { return listing_.traces_entries() || verifying(); }
  bool verifying() const { return verifier_ != nullptr && verifier_->active(); }
  void turn_verifier();
  // The verifier's turn, if there is one; fpu: with the guest's x87 and SSE state in VcpuState.
  template <class Turn>
  void verify(bool fpu, Turn turn) {
    if (fpu) save_fpu(context_);
    turn(*verifier_);
    if (fpu) load_fpu(context_);
  }
  void verify_code(Verifier::Stop stop) {
    if (verifying()) verify(verifier_->fpu_used(), [stop](Verifier& verifier) { verifier.code_left(stop); });
  }
  // Translated code has jumped to the dispatcher: from the block's end, if not by a segment load.
  void verify_jump() {
    const bool amid = std::exchange(context_.left_amid, false);
    verify_code(amid ? Verifier::Stop::amid : Verifier::Stop::at_end);
  }
  // The same with something pending: by a light helper, of which a transfer ends the block, or after POPF.
  void verify_poll() {
    const bool transfer = context_.light_site != nullptr && context_.light_site->resume == nullptr;
    if (transfer) return verify_jump();
    context_.left_amid = false;
    verify_code(Verifier::Stop::amid);
  }
  void verify_step() {
    if (verifying()) verify(true, [](Verifier& verifier) { verifier.stepped(); });
  }

  // MmuObserver
  void on_flush_all() override;
  void on_flush_address_space() override;
  void on_flush_page(Gva gva) override;
  void on_entry_marked(Gpa entry) override {
    if (verifying()) verifier_->on_entry_marked(entry);
  }
  // PhysicalMapListener
  void on_write(Gpa gpa, u32 length) override;
  void on_page_changed(Gpa) override {}
  // HostFaultHandler
  bool handle_host_fault(int signal, siginfo_t& info, ucontext_t& context) override;

  Cpu& cpu_;
  Decoder decoder_;
  Interpreter interpreter_;
  CodeCache cache_;
  RuntimeStubs stubs_;
  Listing listing_;
  BtContextPages context_pages_;
  BtContext& context_ = context_pages_.context();
  BlockTable blocks_;
  BlockTranslator translator_;
  WindowSet windows_;
  AddressSpaceHeat heat_;
  SamplingTimer sampling_;
  bool samples_ = false;
  ModeSwitch modes_;
  DescriptorMemo memo_;
  std::unique_ptr<Verifier> verifier_;  // -d verify
  std::vector<u32> single_blocks_;      // BtOptions::single_blocks
  ExitReason exit_reason_ = ExitReason::requested;

  ExactCount count_;
  HistoryListener* const listener_;  // BtOptions::listener
  u32 going_on_ = 0;  // under exact count: instructions left of the block that a helper returns into

  // Count what may change where code addresses lead: of global pages, and of all.
  u64 global_mapping_ = 0;
  u64 local_mapping_ = 0;
  const TranslationBlock* dispatched_ = nullptr;  // what dispatch() found last

  u32 last_fill_eip_ = 0;
  unsigned fills_in_row_ = 0;

  struct Counters {
    u64 access_exits = 0, access_fills = 0, access_interpreted = 0, interpreted = 0, interpreted_modes = 0;
    u64 ports = 0, access_faults = 0;
    u64 code_writes = 0, chain_exits = 0, jump_misses = 0, event_exits = 0, host_faults = 0, lost_bases = 0,
        window_faults = 0, window_failures = 0, retranslations = 0;
  };
  Counters counters_;
  u64 instructions_ = 0;  // retired in run()
  Pauses pauses_;
};

}  // namespace ringshift::bt
