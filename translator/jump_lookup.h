// The jump table's lookup, in emitted code.
#pragma once

#include <asmjit/x86.h>

#include <cstddef>

#include "translator/bt_context.h"

namespace ringshift::bt {

// r8d holds the target's eip: goes to its block if the jump table has it for the current generation. Else the
// code that `miss` emits runs, with the eip in r10d; it must go elsewhere. Clobbers r9-r11; keeps the flags.
template <class Miss>
void emit_jump_lookup(asmjit::x86::Assembler& as, const Miss& miss) {
  using namespace asmjit::x86;  // NOLINT: register names
  static_assert(sizeof(JumpEntry) == 16 && kJumpEntries == 1u << 16);
  const auto context_field = [](std::size_t offset) { return ptr(r15, static_cast<i32>(offset), 8); };
  const asmjit::Label hit = as.newLabel();
  as.mov(r9, rcx);
  as.movzx(r10d, r8w);
  as.mov(r11, context_field(offsetof(BtContext, jump_table)));
  as.lea(r10, ptr(r10, r10));
  as.lea(r11, ptr(r11, r10, 3));
  as.mov(rcx, context_field(offsetof(BtContext, jump_generation)));
  as.lea(rcx, ptr(rcx, r8));
  as.mov(r10, ptr(r11, offsetof(JumpEntry, negated_tag), 8));
  as.lea(rcx, ptr(rcx, r10));
  as.jecxz(rcx, hit);
  as.mov(rcx, r9);
  as.mov(r10d, r8d);
  miss();
  as.bind(hit);
  as.mov(rcx, r9);
  as.jmp(ptr(r11, offsetof(JumpEntry, target), 8));
}

}  // namespace ringshift::bt
