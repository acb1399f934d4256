// The segment registers of a task that was just switched to: loaded from its selectors, with #TS's rules.
#pragma once

#include "cpu-model/task_state.h"

namespace ringshift {

// Puts all selectors in place with hidden parts that allow nothing, and CPL; cannot fail.
void place_task_selectors(Cpu& cpu, const TaskState& task);
// Loads LDTR, CS, SS, DS, ES, FS, GS in the order of SDM 3A table 7-1. A fault is the new task's: what was
// loaded so far stays.
Outcome<> load_task_segments(Cpu& cpu, const TaskState& task);

}  // namespace ringshift
