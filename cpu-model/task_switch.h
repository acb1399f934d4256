// Hardware task switches (SDM vol. 3A chapter 7), 16- and 32-bit TSS.
#pragma once

#include <optional>

#include "cpu-model/cpu.h"
#include "cpu-model/segmentation.h"

namespace ringshift {

enum class TaskSwitchCause : u8 { jump, call, interrupt, iret };

// Switches to the TSS of `selector`, already found to be a present TSS of the right busy state by the caller.
// EIP is the one to save in the old TSS. error_code is pushed on the new stack, if given. Faults before the
// commit point leave the old task; later ones are raised in the new task (7.3).
Outcome<> switch_task(Cpu& cpu, u16 selector, const Descriptor& descriptor, TaskSwitchCause cause,
                      std::optional<u32> error_code = std::nullopt);

// Stack of the given inner level from the current TSS: #TS on a bad TSS.
struct InnerStack {
  u16 ss;
  u32 esp;
};
Outcome<InnerStack> inner_stack(Cpu& cpu, unsigned level);

}  // namespace ringshift
