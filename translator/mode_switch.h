// ModeSwitch: the mode that translated code runs in, and the short way back into modes entered before.
//
// Entering a mode takes a window that is up to date, the Tlb's table for the privilege, and the generation of
// the jump table's tags. As long as no mapping changes these stay what they were, so that a system call and
// its return need nothing but a look into a table.
#pragma once

#include <algorithm>
#include <array>

#include "mmu-shadow/window_set.h"
#include "translator/bt_context.h"
#include "translator/bt_engine.h"
#include "translator/jump_generations.h"
#include "translator/mode_key.h"
#include "translator/window_base.h"

namespace ringshift::bt {

class ModeSwitch {
 public:
  ModeSwitch(Cpu& cpu, BtContext& context, WindowSet& windows, BtOptions::Memory memory)
      : cpu_(cpu), context_(context), windows_(windows), memory_(memory), window_base_(context) {}

  Result<void> prepare() { return window_base_.prepare(); }
  // After a host fault: whether it came of a GS base that the host's kernel lost; it is set again.
  bool restore_window_base() { return mode_.window() && window_base_.restore(); }

  // The mode of the CPU's state as it is, with the ways to memory and time that the policy gives it.
  ModeKey key_now() const { return with_policy(ModeKey(cpu_)); }
  ModeKey with_policy(ModeKey key) const {
    const bool tsc_allowed = key.cpl() == 0 || (cpu_.state.cr4 & kCr4Tsd) == 0;
    if (tsc_is_hosts_ && tsc_allowed) key = key.with_direct_tsc();
    const bool lookups = memory_ == BtOptions::Memory::soft || (memory_ == BtOptions::Memory::automatic &&
                                                                key.user() && key.paging() && !user_hot_);
    return lookups ? key : key.with_window();
  }
  // Policy: whether user code of this address space is worth a window; whether RDTSC may be the host's.
  void set_user_hot(bool hot) { user_hot_ = hot; }
  void set_tsc_is_hosts(bool hosts) { tsc_is_hosts_ = hosts; }

  // The mode entered last, while nothing changed that it hangs on.
  ModeKey mode() const { return mode_; }
  bool is(ModeKey mode) const { return known_ && mode_ == mode && cs_base_ == cs_base(); }

  // Makes everything ready for code of this mode, which is key_now().
  void enter(ModeKey mode) {
    if (enter_again(mode)) return;
    const WindowSet::Place place = mode.window() ? windows_.enter_place() : WindowSet::Place{};
    if (mode.window()) RS_CHECK(place.window != nullptr);
    if (generations_.exhausted()) begin_generations();
    const u32 base = cs_base();
    Entered& entered = entered_[index(mode, base)];
    entered = {mode, base, epoch_, static_cast<u32>(generations_.of(mode, base)), place};
    use(entered);
  }
  // The same where it was entered before and nothing has changed; false: it must be enter().
  bool enter_again(ModeKey mode) {
    const u32 base = cs_base();
    const Entered& entered = entered_[index(mode, base)];
    if (entered.epoch != epoch_ || !(entered.mode == mode) || entered.cs_base != base) return false;
    if (mode.window()) windows_.enter_again(entered.place);
    use(entered);
    return true;
  }

  // Mappings changed: all of them, or those that aren't global.
  void forget_all() {
    generations_.renew_all();
    forget();
  }
  void forget_local() {
    generations_.renew_local();
    forget();
  }
  // On this thread; DR7 or the like may have changed.
  void begin_run() {
    window_base_.begin_run();
    forget();
  }
  // The current mode's generation has an entry now that hangs on a local mapping.
  void note_local() { generations_.note_local(mode_, cs_base_); }

 private:
  struct Entered {
    ModeKey mode;
    u32 cs_base = 0;
    u64 epoch = 0;
    u32 generation = 0;
    WindowSet::Place place;
  };
  static constexpr unsigned kKept = 32;
  static unsigned index(ModeKey mode, u32 cs_base) { return mode.hash_with(cs_base) % kKept; }
  u32 cs_base() const { return static_cast<u32>(cpu_.state.segment(Seg::cs).base); }

  // A tag has no room for more of them: the table begins anew.
  void begin_generations() {
    std::fill_n(context_.jump_table, kJumpEntries, JumpEntry{});
    generations_.begin();
    ++epoch_;
  }
  void forget() {
    ++epoch_;
    known_ = false;
  }
  void use(const Entered& entered) {
    if (entered.mode.window()) window_base_.set(entered.place.base);
    context_.tlb_table = cpu_.tlb.table(entered.mode.user()).data();
    context_.jump_generation = entered.generation;
    mode_ = entered.mode;
    cs_base_ = entered.cs_base;
    known_ = true;
  }

  Cpu& cpu_;
  BtContext& context_;
  WindowSet& windows_;
  BtOptions::Memory memory_;
  bool user_hot_ = false;  // of the current CR3
  bool tsc_is_hosts_ = false;
  JumpGenerations generations_;
  std::array<Entered, kKept> entered_{};
  u64 epoch_ = 1;
  ModeKey mode_;
  u32 cs_base_ = 0;
  bool known_ = false;
  WindowBase window_base_;
};

}  // namespace ringshift::bt
