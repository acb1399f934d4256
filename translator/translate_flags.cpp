// Translations of CLI and STI where nothing but EFLAGS.IF changes: at CPL 0.
#include <cstddef>

#include "translator/translate.h"

namespace ringshift::bt {

using namespace asmjit::x86;  // NOLINT: register names

namespace {
Mem flags_word() { return ptr(r13, static_cast<i32>(offsetof(VcpuState, rflags)), 4); }
}  // namespace

void translate_clear_if(Emitter& emitter) {
  emitter.protect_flags();
  emitter.as().and_(flags_word(), ~kFlagIf);
}

// What waits is delivered after the next instruction, where the block ends with a poll: that is STI's shadow.
void translate_set_if(Emitter& emitter) {
  emitter.protect_flags();
  emitter.as().or_(flags_word(), kFlagIf);
}

}  // namespace ringshift::bt
