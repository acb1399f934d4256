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
inline constexpr u32 kEventSample = 1u << 5;  // the engine's own: time to look at what the guest is busy with

// An engine that can't poll `events` while guest code runs (hardware) is told of them by this.
class EngineKick {
 public:
  // From any thread or signal handler, after bits were set: makes the engine look at them soon.
  virtual void kick() = 0;

 protected:
  ~EngineKick() = default;
};

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
  // Set by such an engine while it runs. It stores this before it looks at `events`, and raise_event loads it
  // after setting them, both in one total order: an event is seen by the look or told by the kick.
  std::atomic<EngineKick*> kick{nullptr};

  void raise_event(u32 bits) {
    events.fetch_or(bits);
    if (std::atomic<u32>* const word = quiet_.load()) word->store(0);
    if (EngineKick* const engine = kick.load()) engine->kick();
  }
  // On the vCPU's thread.
  void clear_event(u32 bits) {
    if ((events.fetch_and(~bits) & ~bits) == 0) settle(quiet_.load());
  }

  // A word that is 1 while no event is there, else 0, kept where an engine's code reaches it best; null:
  // none. On the vCPU's thread; the word must stay until no other thread raises events.
  void keep_quiet_word(std::atomic<u32>* word) {
    quiet_.store(word);
    settle(word);
  }

 private:
  // Others raise events at any time: first an event, then the word. So the word is set before the events are
  // looked at, in one order for all threads.
  void settle(std::atomic<u32>* word) {
    if (word == nullptr) return;
    word->store(1);
    if (events.load() != 0) word->store(0);
  }
  std::atomic<std::atomic<u32>*> quiet_{nullptr};
};

}  // namespace ringshift
