// EngineFactory: the interpreter, and the translator in each way of reaching memory.
#include "tests/differential/engine_factory.h"

#include "cpu-model/interp/interpreter.h"
#ifdef RINGSHIFT_TEST_BT
#include "translator/bt_engine.h"
#endif

namespace ringshift::differential {

namespace {

#ifdef RINGSHIFT_TEST_BT
EngineFactory bt(const char* name, BtOptions::Memory memory) {
  return {name, [memory](Cpu& cpu) -> Result<std::unique_ptr<ExecutionEngine>> {
            BtOptions options;
            options.memory = memory;
            return RS_TRY(BtEngine::create(cpu, options));
          }};
}
#endif

}  // namespace

const std::vector<EngineFactory>& engine_factories() {
  static const std::vector<EngineFactory> kFactories = {
      {"interp",
       [](Cpu& cpu) -> Result<std::unique_ptr<ExecutionEngine>> {
         return std::make_unique<Interpreter>(cpu);
       }},
#ifdef RINGSHIFT_TEST_BT
      bt("bt-soft", BtOptions::Memory::soft),
      bt("bt-window", BtOptions::Memory::window),
      bt("bt", BtOptions::Memory::automatic),
#endif
  };
  return kFactories;
}

const EngineFactory* find_engine(const std::string& name) {
  for (const EngineFactory& factory : engine_factories())
    if (factory.name == name) return &factory;
  return nullptr;
}

}  // namespace ringshift::differential
