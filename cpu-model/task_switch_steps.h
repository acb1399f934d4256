// The two halves of a task switch, around its commit point: a fault of the first is the old task's, one of
// the second the new task's (SDM vol. 3A 7.3).
#pragma once

#include "cpu-model/task_state.h"
#include "cpu-model/task_switch.h"

namespace ringshift {

// saved_flags: EFLAGS as the old TSS is to have them. On success the CPU is in the new task, its segments not
// yet loaded; on a fault nothing has changed.
Outcome<TaskState> begin_task_switch(Cpu& cpu, u16 selector, const Descriptor& descriptor,
                                     TaskSwitchCause cause, u32 saved_flags);
Outcome<> complete_task_switch(Cpu& cpu, const Descriptor& descriptor, const TaskState& task,
                               std::optional<u32> error_code);

}  // namespace ringshift
