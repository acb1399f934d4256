// The shared stubs at the start of the cache: into it, out of it, and to the C++ helpers.
#pragma once

#include "base/result.h"
#include "translator/code_cache.h"
#include "translator/emitter.h"

namespace ringshift::bt {

// What a stub calls with guest state in VcpuState (general registers, rip, flags), XMM0-7 and MXCSR in the
// context, and the x87 registers still live in the CPU. Returns where to go on: an entry in the cache, or
// RuntimeStubs::leave.
using Helper = const u8* (*)(BtContext* context, const void* argument, u32 gva, u32 info);

struct Helpers {
  Helper access, interpret, chain, jump, events, port;
};

// Emits the stubs into the empty cache, to stay there.
Result<RuntimeStubs> emit_runtime_stubs(CodeCache& cache, const Helpers& helpers);

}  // namespace ringshift::bt
