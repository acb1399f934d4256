// How the state of the engine's CPU is compared with the interpreter's (-d verify).
#pragma once

#include <string>

#include "cpu-model/vcpu_state.h"

namespace ringshift::bt {

// Whether VcpuState::fx is up to date on both sides.
enum class FxStates : bool { ignore, compare };

// The first element that differs, "EAX: 00000001 / 00000002", left being the translated side; empty if none
// does. What no program can rely on isn't looked at: x87's last-instruction pointers and opcode (design 2.8),
// and what FXSAVE leaves undefined.
std::string first_difference(const VcpuState& translated, const VcpuState& interpreted, FxStates fx);

}  // namespace ringshift::bt
