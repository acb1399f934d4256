// Traps and system calls: what entry.S calls.
#include "era-bench/traps.h"
#include "era-bench/calls.h"
#include "era-bench/fork.h"
#include "era-bench/output.h"
#include "era-bench/sampler.h"

volatile u64 g_timer_at;

namespace {

constexpr u32 kPageFault = 14;

// The kernel may touch what the program may, and nothing else, on a program's word.
bool is_users(u32 address, u32 bytes) {
  return address >= kUserBase && bytes <= kUserEnd - kUserBase && address <= kUserEnd - bytes;
}

// "Source text" for the mixed load: words of lower-case letters, the same at every reading.
u32 read_source(u32 address, u32 bytes) {
  if (!is_users(address, bytes)) return 0;
  u8* to = reinterpret_cast<u8*>(address);
  u32 random = 1;
  for (u32 i = 0; i < bytes; ++i) {
    random = random * 1664525 + 1013904223;  // Numerical Recipes
    const u32 letter = random >> 27;
    to[i] = letter < 26 ? static_cast<u8>('a' + letter) : ' ';
  }
  return bytes;
}

u32 sum_output(u32 address, u32 bytes) {
  if (!is_users(address, bytes)) return 0;
  u32 sum = 0;
  for (u32 i = 0; i < bytes; ++i) sum = sum * 31 + reinterpret_cast<const u8*>(address)[i];
  return sum;
}

u32 perform(TrapFrame& frame) {
  switch (frame.eax) {
    case kNothing:
      return 0;
    case kExit:
      end_current(frame.ebx);
    case kYield:
      return yield() ? 1 : 0;
    case kFork:
      fork_current(frame);
      return 1;
    case kWait:
      return wait_for_child();
    case kResume:
      g_current->resume = frame.ebx;
      return 0;
    case kBatch:
      return g_sampler.next(frame.ebx);
    case kSample:
      g_sampler.add(frame.ebx);
      return 0;
    case kRead:
      return read_source(frame.ebx, frame.esi);
    case kWrite:
      return sum_output(frame.ebx, frame.esi);
    default:
      return ~0u;
  }
}

}  // namespace

void handle_call(TrapFrame* frame) { frame->eax = perform(*frame); }

void handle_trap(TrapFrame* frame) {
  if (frame->vector == ops::kTimerVector) {
    g_timer_at = read_tsc();
    ops::acknowledge_timer();
    return;
  }
  const u32 linear = frame->vector == kPageFault ? ops::fault_address() : 0;
  if (frame->vector == kPageFault && cure_page_fault(linear, frame->error)) return;
  if ((frame->cs & 3) != 0 && g_current->resume != 0) {
    frame->eip = g_current->resume;
    return;
  }
  panic_trap(frame->vector, frame->error, frame->eip, linear);
}

void start_traps() {
  for (u32 vector = 0; vector < kTrapStubs; ++vector)
    ops::set_trap(static_cast<u8>(vector), trap_stubs + kTrapStubBytes * vector, false);
  ops::set_trap(kCallVector, call_stub, true);
  ops::set_trap(kEmptyVector, empty_handler, false);
}
