// LongModeEngine: 32-bit user code in flat segments, an instruction at a time, on the host's own CPU in
// 64-bit mode: where expected results come from on a host that runs no 32-bit code.
#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"

namespace ringshift::differential {

// The count of the instructions that it did execute, in report().
inline constexpr std::string_view kByHostCpu = "by the host's CPU";

// What has no form in 64-bit mode (LongModeForm) the interpreter executes, and supervisor code; report()
// counts those of user code. The CPU's memory must hold the arenas from arena_physical(0)
// on, mapped at their addresses. One at a time in a process: it maps them in it.
Result<std::unique_ptr<ExecutionEngine>> create_long_mode_engine(Cpu& cpu);

}  // namespace ringshift::differential
