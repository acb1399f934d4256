// WindowSet: the windows of one vCPU: which one is in use, which are kept, when each is compared again.
//
// The supervisor's pages that are global stand in one window for all address spaces, so that a CR3 load
// changes nothing there. Windows of one address space are kept by CR3, the least recently used of them goes
// when there are too many; one that is entered after a flush is resynchronised first. A guest whose CR4.PGE
// is 0 has supervisor windows by CR3 too.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "cpu-model/cpu.h"
#include "mmu-shadow/shadow_window.h"

namespace ringshift {

struct WindowLimits {
  u32 windows = 16;  // of single address spaces
  // VMAs of all windows; 0: three quarters of vm.max_map_count.
  u64 vmas = 0;
  // Where windows are, if not in this process. Then the supervisor's are of whole address spaces too: a
  // process that runs the guest's code has one mapping of an address, global or not.
  std::function<Result<std::unique_ptr<WindowTarget>>()> elsewhere = nullptr;
};

class WindowSet final : public MmuObserver, PhysicalMapListener {
 public:
  explicit WindowSet(Cpu& cpu, WindowLimits limits = {});
  ~WindowSet();
  WindowSet(const WindowSet&) = delete;

  // The window for the CPU's privilege and address space as they are now, brought up to date; null if the
  // host gives no address space. Call it before generated code runs on after anything that may have changed
  // them: CPL, CR0, CR3, CR4, A20, INVLPG, DR7.
  ShadowWindow* enter();
  // The same, and what enter_again() needs: it may stand for enter() as long as no flush came and no other
  // address space's window was entered since. Inline, for helpers that may call nothing.
  struct Slot {
    std::unique_ptr<ShadowWindow> window;
    u64 epoch = 0;  // of the last resync
    u32 mode = 0;   // paging_mode() then
    u64 used = 0;
  };
  struct Place {
    Slot* slot = nullptr;
    ShadowWindow* window = nullptr;
    const u8* base = nullptr;
  };
  Place enter_place() {
    ShadowWindow* const window = enter();
    return {current_, window, window == nullptr ? nullptr : window->base()};
  }
  void enter_again(const Place& place) { current_ = place.slot; }
  // The window that was entered last.
  ShadowWindow* current() const { return current_ == nullptr ? nullptr : current_->window.get(); }

  // A plain access through the current window faulted at gva. Never gives no_room. #PF is as in walk().
  Outcome<FillResult> fill(Gva gva, AccessKind kind);
  // Maps what will be touched soon, if that changes nothing of the guest's.
  void prefill(Gva gva, AccessKind kind);
  // Empties all windows, as after a state was restored.
  void drop_all();

  // MmuObserver's; whoever observes the Cpu passes them on.
  void on_flush_all() override;
  void on_flush_address_space() override;
  void on_flush_page(Gva gva) override;
  // PhysicalMapListener
  void on_write(Gpa, u32) override {}
  void on_page_changed(Gpa page) override;

  u64 vmas() const;
  u64 pages() const;
  struct Counters {
    u64 switches = 0;
    u64 resyncs = 0;
    u64 recycled = 0;   // windows taken from one address space for another
    u64 evictions = 0;  // for want of VMAs
    u64 windows_made = 0;
  };
  const Counters& counters() const { return counters_; }
  // The sum over all windows.
  ShadowWindow::Counters window_counters() const;

 private:
  WindowKey key_now() const;
  Slot* slot_for(WindowKey key);
  Slot* make_slot(WindowKey key);
  u64 epoch_for(WindowKey key) const { return key.role == WindowRole::global ? global_epoch_ : epoch_; }
  void bring_up_to_date(Slot& slot);
  // Frees VMAs, those of the least recently used first.
  void make_room();

  Cpu& cpu_;
  WindowLimits limits_;
  // Slots are stable: current_ points to one.
  std::vector<std::unique_ptr<Slot>> slots_;
  Slot* current_ = nullptr;
  u64 epoch_ = 1;         // counts flushes of address spaces
  u64 global_epoch_ = 1;  // counts flushes of everything
  u64 uses_ = 0;
  Counters counters_;
};

}  // namespace ringshift
