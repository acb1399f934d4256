// The console ring (xen/io/console.h): what a domain's console is where console_io is for debugging only.
#pragma once

#include "xen-runtime/xen.h"

namespace xen {

xencons_interface& console_ring();
// Waits until all of it was taken, or the other end has stopped to take.
void write_ring(const char* text);
void notify_port(u32 port);
// From now on print() writes to the ring.
void use_console_ring();

}  // namespace xen
