// make_engine: the one place where engines are chosen.
#pragma once

#include <memory>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "machine/machine_config.h"

namespace ringshift {

// An engine that can't run on this host is ErrorKind::engine_unavailable.
Result<std::unique_ptr<ExecutionEngine>> make_engine(const MachineConfig& config, Cpu& cpu);

}  // namespace ringshift
