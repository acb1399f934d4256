// Events: the upcall, its mask, virtual interrupts; and Xen's time.
#pragma once

#include "xen-runtime/hypercall.h"

namespace xen {

extern shared_info_t* g_shared;

inline vcpu_info_t& vcpu() { return g_shared->vcpu_info[0]; }
inline void mask_events() {
  *static_cast<volatile u8*>(&vcpu().evtchn_upcall_mask) = 1;
  asm volatile("" ::: "memory");
}
// What came while they were masked is delivered at the return of a hypercall, any hypercall.
inline void unmask_events() {
  asm volatile("" ::: "memory");
  *static_cast<volatile u8*>(&vcpu().evtchn_upcall_mask) = 0;
  asm volatile("" ::: "memory");
  if (*static_cast<volatile u8*>(&vcpu().evtchn_upcall_pending) != 0) xen_version(XENVER_version);
}

// Takes the lowest port that is pending and not masked, and clears it; false if there is none.
bool take_event(u32& port);
// Called for each event, with events masked.
using EventHandler = void (*)(u32 port);
void set_event_handler(EventHandler handler);
// Set or clear a bit of shared_info's evtchn_mask.
void mask_port(u32 port);
void unmask_port(u32 port);
// A port, unmasked; or an error.
int bind_virq(u32 virq);

// Nanoseconds since start, by vcpu_time_info; and how fast the TSC counts.
u64 system_time();
u32 tsc_khz();

}  // namespace xen
