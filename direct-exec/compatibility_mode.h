// Whether this host runs 32-bit code at all: a hypervisor without 32-bit segments (PVM is one) lets Linux
// accept an LDT entry, and then refuses to enter it.
#pragma once

#include "base/result.h"
#include "direct-exec/process_nest.h"

namespace ringshift {

// Enters a code segment of a process's LDT once; nothing is executed there. An engine_unavailable error if
// the CPU doesn't get there.
Result<void> check_compatibility_mode(ProcessNest& nest);

}  // namespace ringshift
