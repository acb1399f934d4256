// Choice of the execution engine.
#include "machine/engine_factory.h"

#include "cpu-model/interp/interpreter.h"
#include "devices/clock.h"
#include "direct-exec/trap_engine.h"
#include "hw-accel-kvm/kvm_cpuid.h"
#include "hw-accel-kvm/kvm_engine.h"
#include "translator/bt_engine.h"

namespace ringshift {

namespace {
constexpr std::pair<EngineKind, std::string_view> kEngineNames[] = {{EngineKind::bt, "bt"},
                                                                    {EngineKind::interp, "interp"},
                                                                    {EngineKind::kvm, "kvm"},
                                                                    {EngineKind::trap, "trap"}};

Result<std::unique_ptr<ExecutionEngine>> make_bt(const MachineConfig& config, Cpu& cpu) {
  BtOptions options;
  switch (config.bt_memory) {
    case BtMemory::soft:
      options.memory = BtOptions::Memory::soft;
      break;
    case BtMemory::window:
      options.memory = BtOptions::Memory::window;
      break;
    case BtMemory::automatic:
      options.memory = BtOptions::Memory::automatic;
      break;
  }
  if (config.bt_cache_bytes != 0) options.cache_bytes = config.bt_cache_bytes;
  options.count_instructions = config.count_instructions;
  options.verify = config.bt_verify;
  options.verify_part = config.bt_verify_part;
  options.single_blocks = config.bt_single_blocks;
  options.listener = config.bt_listener;
  return RS_TRY(BtEngine::create(cpu, options));
}

Result<std::unique_ptr<ExecutionEngine>> make_kvm(const MachineConfig& config, Cpu& cpu) {
  KvmOptions options;
  options.tsc_khz = Clock::kTscHz / 1000;
  options.count_instructions = config.kvm_counts;
  return RS_TRY(KvmEngine::create(cpu, options));
}
}  // namespace

std::string_view engine_name(EngineKind kind) {
  for (const auto& [known, name] : kEngineNames)
    if (known == kind) return name;
  return {};
}

std::optional<EngineKind> engine_of_name(std::string_view name) {
  for (const auto& [kind, known] : kEngineNames)
    if (known == name) return kind;
  return std::nullopt;
}

Result<HostFeatures> engine_features(const MachineConfig& config) {
  const HostFeatures host = HostFeatures::of_this_host();
  if (!config.has_engine(EngineKind::kvm) && !config.kvm_cpuid) return host;
  return kvm_host_features(RS_TRY(KvmSystem::open()), host);
}

Result<std::unique_ptr<ExecutionEngine>> make_engine(EngineKind kind, const MachineConfig& config, Cpu& cpu) {
  if (kind == EngineKind::kvm) return make_kvm(config, cpu);
  if (kind == EngineKind::trap) return RS_TRY(TrapEngine::create(cpu));
  if (kind == EngineKind::bt) return make_bt(config, cpu);
  return std::make_unique<Interpreter>(cpu);
}

}  // namespace ringshift
