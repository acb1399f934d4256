// TaskState: the part of a task that a TSS holds, read and written in both sizes (SDM vol. 3A 7.2.1, 7.6).
#pragma once

#include "cpu-model/segmentation.h"

namespace ringshift {

struct TaskState {
  u32 cr3 = 0;  // 32-bit TSS only
  u32 eip = 0;
  u32 eflags = 0;
  u32 gpr[8] = {};
  u16 selectors[kSegCount] = {};  // ES CS SS DS FS GS; a 16-bit TSS has no FS and GS
  u16 ldt = 0;
  bool debug_trap = false;  // T
};

inline bool wide_task(u8 type) { return (type & 8) != 0; }
// The least limit that a TSS may have.
inline u32 minimum_task_limit(bool wide) { return wide ? 0x67 : 0x2b; }

Outcome<TaskState> read_task(Cpu& cpu, Gva base, bool wide);
// Raises what save_task at `base` would raise.
Outcome<> probe_task_save(Cpu& cpu, Gva base, bool wide);
// Saves the running task: EIP, the given flags, general and segment registers.
Outcome<> save_task(Cpu& cpu, Gva base, bool wide, u32 eflags);

}  // namespace ringshift
