// EngineFactory: makes an engine by name over a Cpu; the list of the engines under test.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"

namespace ringshift::differential {

struct EngineFactory {
  std::string name;  // "interp", "bt-soft", ...
  std::function<Result<std::unique_ptr<ExecutionEngine>>(Cpu&)> create;
};

const std::vector<EngineFactory>& engine_factories();
// Null if there is none of that name.
const EngineFactory* find_engine(const std::string& name);

}  // namespace ringshift::differential
