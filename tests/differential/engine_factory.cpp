// EngineFactory: the interpreter, the host's CPU in 64-bit mode, and the translator in each way of reaching
// memory.
#include "tests/differential/engine_factory.h"

#include "cpu-model/interp/interpreter.h"
#include "tests/differential/long_mode_engine.h"
#include "translator/bt_engine.h"

namespace ringshift::differential {

namespace {

EngineFactory bt(const char* name, BtOptions::Memory memory) {
  return {name, [memory](Cpu& cpu) -> Result<std::unique_ptr<ExecutionEngine>> {
            BtOptions options;
            options.memory = memory;
            return RS_TRY(BtEngine::create(cpu, options));
          }};
}

}  // namespace

const std::vector<EngineFactory>& engine_factories() {
  static const std::vector<EngineFactory> kFactories = {
      {"interp",
       [](Cpu& cpu) -> Result<std::unique_ptr<ExecutionEngine>> {
         return std::make_unique<Interpreter>(cpu);
       }},
      {"host64", create_long_mode_engine},
      bt("bt-soft", BtOptions::Memory::soft),
      bt("bt-window", BtOptions::Memory::window),
      bt("bt", BtOptions::Memory::automatic),
  };
  return kFactories;
}

const EngineFactory* find_engine(const std::string& name) {
  for (const EngineFactory& factory : engine_factories())
    if (factory.name == name) return &factory;
  return nullptr;
}

}  // namespace ringshift::differential
