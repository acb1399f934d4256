// Guest: why x86 of old could not be virtualized by trapping alone: POPF doesn't trap, and drops IF at CPL 3.
//
// A critical section as kernels write it: PUSHF keeps the interrupt flag, CLI clears it, POPF puts it back.
// Under trap and emulate CLI traps and the others don't: interrupts stay off. STI traps, and puts them on.
#include "runtime/pic.h"

namespace {

volatile u32 g_ticks;

bool on_interrupt(Frame& frame) {
  if (frame.vector != kPicVectors) return false;
  g_ticks = g_ticks + 1;
  end_of_interrupt(0);
  return true;
}

// Whether the timer's interrupt comes within some 10 ms or more after `section`, which began with interrupts
// on.
bool ticks_after(void (*section)()) {
  program_timer(0, 1193);
  asm volatile("sti");
  section();
  g_ticks = 0;
  program_timer(0, 1193);
  wait_for_timer();
  // Its output is seen high by the clock; a monitor's interrupt may come late by what its host needs.
  for (u32 i = 0; i < 20000 && g_ticks == 0; ++i) in8(0x21);
  const u32 ticks = g_ticks;
  asm volatile("cli");
  return ticks != 0;
}

void by_popf() { asm volatile("pushfl\n cli\n popfl" ::: "memory", "cc"); }
void by_sti() { asm volatile("cli\n sti" ::: "memory"); }

}  // namespace

void guest_main() {
  start_pics();
  set_handler(on_interrupt);
  out8(0x21, 0xfe);  // IRQ 0 only
  print(ticks_after(by_sti) ? "after STI: interrupts are on\n" : "after STI: interrupts are off\n");
  print(ticks_after(by_popf) ? "after POPF: interrupts are on\n" : "after POPF: interrupts are off\n");
}
