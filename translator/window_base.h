// WindowBase: the thread's GS base, from which translated code's accesses through a window start.
//
// User code changes it by WRGSBASE. A kernel that doesn't know of that (no HWCAP2_FSGSBASE, though the
// instruction works; seen: Linux 6.18 as a guest of PVM) neither saves nor restores such a base: after a
// context switch GS has the base that arch_prctl gave the thread, or, if it gave none, whatever the thread
// before left there, which may be a window of another process at the same address. So that base is made a
// range with nothing in it, once: a base that was lost gives a host fault at the next access, and then
// restore() mends it.
#pragma once

#include <optional>
#include <thread>

#include "mmu-shadow/window_range.h"
#include "translator/bt_context.h"

namespace ringshift::bt {

class WindowBase {
 public:
  explicit WindowBase(BtContext& context) : context_(context) {}

  // Whether this host lets user code write GS base at all; asked once.
  static bool usable();

  // Before the first run.
  Result<void> prepare();
  // The calling thread is the one that runs translated code from now on.
  void begin_run();
  // What accesses start from now on. Calls nothing: for light helpers too.
  void set(const u8* base) {
    context_.window_base = base;
    if (base != now()) write(base);
  }
  // Whether the base was lost; then it is set again, and the access that failed may be repeated.
  bool restore() {
    if (now() == context_.window_base) return false;
    write(context_.window_base);
    return true;
  }

 private:
  static const u8* now() {
    const u8* base;
    asm volatile("rdgsbase %0" : "=r"(base));
    return base;
  }
  static void write(const u8* base) { asm volatile("wrgsbase %0" : : "r"(base)); }

  BtContext& context_;
  std::optional<WindowRange> nothing_;  // stays empty
  std::thread::id thread_;              // the one that has it as its base
};

}  // namespace ringshift::bt
