// make_engine: the one place where engines are chosen.
#pragma once

#include <memory>
#include <optional>
#include <string_view>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "machine/machine_config.h"

namespace ringshift {

// As -engine spells it, and back.
std::string_view engine_name(EngineKind kind);
std::optional<EngineKind> engine_of_name(std::string_view name);
// The CPU features that the machine may promise: what the host and all of its engines can give.
Result<HostFeatures> engine_features(const MachineConfig& config);

// An engine that can't run on this host is ErrorKind::engine_unavailable.
Result<std::unique_ptr<ExecutionEngine>> make_engine(EngineKind kind, const MachineConfig& config, Cpu& cpu);

}  // namespace ringshift
