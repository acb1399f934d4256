// What derives from VcpuState's list of elements: save, restore, difference, one text line an element.
#pragma once

#include <string>

#include "base/archive.h"
#include "cpu-model/vcpu_state.h"

namespace ringshift {

void save_vcpu(const VcpuState& state, StateWriter& out);
// False on a stream of another version or cut short; state is then unspecified.
bool restore_vcpu(VcpuState& state, StateReader& in);
// The elements that differ, one line each, "name: left / right"; empty if equal.
std::string diff_vcpu(const VcpuState& left, const VcpuState& right);

}  // namespace ringshift
