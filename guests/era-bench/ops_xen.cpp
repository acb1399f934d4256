// Operations of Xen's interface that aren't one hypercall: start, traps, the timer and the end.
#include "era-bench/entry.h"
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "runtime/arithmetic.h"
#include "xen-runtime/xen.h"

extern "C" char event_stub[], failsafe_stub[];

namespace {
u32 g_tsc_khz;
}

namespace ops {

void start() {
  require(xen::set_callbacks(xen::address(event_stub), xen::address(failsafe_stub)), "set_callbacks");
  if (xen::bind_virq(VIRQ_TIMER) < 0) panic("VIRQ_TIMER can't be bound");
  xen::fpu_taskswitch(false);
  g_tsc_khz = xen::tsc_khz();
}

const char* options() { return xen::command_line(); }
void write(const char* text) { print(text); }
void end(bool good) { xen::end(good); }
u32 tsc_khz() { return g_tsc_khz; }
bool has_memory(u32 bytes) { return xen::linear_map_end() >= bytes; }
u32 first_free_frame() { return xen::next_page(); }

void refused(const char* hypercall, int error) {
  write("# Xen refused ");
  write(hypercall);
  write(": ");
  print_decimal(static_cast<u32>(-error));
  write("\n");
  panic("a hypercall failed");
}

// Events are masked on entry (flag 4), as IF is by an interrupt gate.
void set_trap(u8 vector, const void* entry, bool from_user) {
  const trap_info_t traps[] = {
      {vector, static_cast<u8>(4 | (from_user ? 3 : 1)), FLAT_KERNEL_CS, xen::address(entry)}, {}};
  require(xen::set_trap_table(traps), "set_trap_table");
}

// Both by one multicall, as Linux switches.
void switch_process(u32 root, u32 stack_top) {
  mmuext_op_t base;
  base.cmd = MMUEXT_NEW_BASEPTR;
  base.arg1.mfn = xen::mfn_of(root / xen::kPage);
  base.arg2.nr_ents = 0;
  multicall_entry_t calls[2] = {};
  calls[0] = {__HYPERVISOR_mmuext_op, 0, {xen::address(&base), 1, 0, DOMID_SELF, 0, 0}};
  calls[1] = {__HYPERVISOR_stack_switch, 0, {FLAT_KERNEL_SS, stack_top, 0, 0, 0, 0}};
  require(xen::multicall(calls, 2), "multicall");
  require(static_cast<int>(calls[0].result), "NEW_BASEPTR");
  require(static_cast<int>(calls[1].result), "stack_switch");
}

// The TSC is taken between two readings of Xen's clock, so the deadline isn't earlier than what is asked for.
u64 arm_timer(u32 microseconds) {
  const u64 now = xen::system_time();
  const u64 due = read_tsc() + divide(u64{microseconds} * g_tsc_khz, 1000);
  require(xen::set_timer_op(now + u64{microseconds} * 1000), "set_timer_op");
  return due;
}

// Before the ports are looked at, so that nothing is missed (xen.h, evtchn_upcall_pending).
void acknowledge_timer() {
  xen::vcpu().evtchn_upcall_pending = 0;
  xen::vcpu().evtchn_pending_sel = 0;
  for (u32 port = 0; xen::take_event(port);) {
  }
}

}  // namespace ops
