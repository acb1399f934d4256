// RunControl: the words that a running engine polls, and through which others reach it.
#pragma once

#include <atomic>

#include "base/types.h"

namespace ringshift {

// Bits of RunControl::events.
inline constexpr u32 kEventInterrupt = 1u << 0;  // INTR is asserted (level: cleared by the controller's side)
inline constexpr u32 kEventNmi = 1u << 1;        // an NMI arrived: the engine moves it to nmi_pending
inline constexpr u32 kEventService = 1u << 2;    // timers or device work are due: call CpuIo::service
inline constexpr u32 kEventExit = 1u << 3;       // leave run()
// Set by the engine's own thread: state that the polled fast path must look at before the next instruction.
inline constexpr u32 kEventInspect = 1u << 4;

struct RunControl {
  // Polled by the engine between instructions (interp) or on edges (bt). Any thread or signal handler may set
  // bits; the engine clears what it has handled, but for kEventInterrupt.
  std::atomic<u32> events{0};
  // Instructions retired. Exact whenever CpuIo is called if `exact_count`, else a lower bound.
  u64 retired = 0;
  // With exact_count: the engine calls CpuIo::service when retired reaches it.
  u64 deadline = ~u64{0};
  // Virtual time (-icount): the clock counts instructions.
  bool exact_count = false;

  void raise_event(u32 bits) { events.fetch_or(bits, std::memory_order_release); }
  void clear_event(u32 bits) { events.fetch_and(~bits, std::memory_order_acq_rel); }
};

}  // namespace ringshift
