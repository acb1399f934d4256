// The runtime of guests that stand on Xen's paravirtual interface, 32-bit with PAE: start, console, end.
//
// The kernel runs at CPL 1 in Xen's flat segments, programs at CPL 3. All memory of the guest, up to
// kLinearMap, is mapped at its pseudo-physical address, and page 0 too. guest_main() runs with events masked.
#pragma once

#include "runtime/catching.h"
#include "runtime/checks.h"
#include "runtime/console.h"
#include "runtime/memory.h"
#include "xen-runtime/events.h"
#include "xen-runtime/hypercall.h"
#include "xen-runtime/tables.h"

namespace xen {

extern start_info_t* g_start;
extern shared_info_t* g_shared;

const char* command_line();

// The end of the domain, by the reasons of SCHEDOP_shutdown: the monitor's exit status tells them apart.
[[noreturn]] void shut_down(u32 reason);
// Poweroff if all was good, crash otherwise.
[[noreturn]] void end(bool good);
[[noreturn]] void fail(const char* text);

}  // namespace xen

// Ends the guest as its checks went.
extern "C" [[noreturn]] void finish();
// Every guest defines it. Its return ends the guest.
extern "C" void guest_main();
