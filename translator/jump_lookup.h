// The jump table's lookup, in emitted code.
#pragma once

#include <asmjit/x86.h>

#include <cstddef>

#include "translator/bt_context.h"

namespace ringshift::bt {

// r8d holds the target's eip: goes to its block if the jump table has it for the current generation and no
// event is there. Else the code that `miss` emits runs, with the eip in r10d; it must go elsewhere. Clobbers
// r9-r11; keeps the flags.
template <class Miss>
void emit_jump_lookup(asmjit::x86::Assembler& as, const Miss& miss) {
  using namespace asmjit::x86;  // NOLINT: register names
  static_assert(sizeof(JumpEntry) == 16 && kJumpEntries == 1u << 16);
  const auto entry_field = [](std::size_t offset) {
    return ptr(r15, r10, 3, static_cast<i32>(offsetof(BtContext, jump_table) + offset), 8);
  };
  const asmjit::Label hit = as.newLabel();
  as.mov(r9, rcx);
  as.movzx(r10d, r8w);
  as.mov(rcx, ptr(r15, offsetof(BtContext, quiet), 8));
  as.lea(r10, ptr(r10, r10));
  as.lea(rcx, ptr(rcx, r8));
  as.mov(r11, entry_field(offsetof(JumpEntry, negated_tag)));
  as.lea(rcx, ptr(rcx, r11));
  as.jecxz(rcx, hit);
  as.mov(rcx, r9);
  as.mov(r10d, r8d);
  miss();
  as.bind(hit);
  as.mov(rcx, r9);
  as.jmp(entry_field(offsetof(JumpEntry, target)));
}

}  // namespace ringshift::bt
