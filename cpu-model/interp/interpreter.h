// Interpreter: one instruction at a time; the reference that every other engine is tested against.
#pragma once

#include <memory>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "cpu-model/instruction.h"

namespace ringshift {

class DecodeCache;

class Interpreter final : public ExecutionEngine {
 public:
  explicit Interpreter(Cpu& cpu);
  ~Interpreter() override;

  ExitReason run(CpuIo& io) override;
  void request_exit() override;
  void save(VcpuState& state) const override;
  void restore(const VcpuState& state) override;
  EngineCapabilities capabilities() const override;
  void report(StatsSink& sink) const override;

  // Executes the instruction at CS:EIP, faults delivered; events aren't looked at, the interrupt shadow ends
  // as it would. cpu.io must be set. `cached`: through the decode cache (the interpreter as an engine), or
  // decoding afresh (fallback of another engine, whose pages should carry no interp attribute).
  // Returns true if the instruction completed without a fault.
  bool step(bool cached);
  // Instructions that step(false) executed, by mnemonic (a translator's fallbacks), for -stats.
  const u64* fallbacks() const { return fallbacks_.get(); }

 private:
  Cpu& cpu_;
  Decoder decoder_;
  std::unique_ptr<DecodeCache> cache_;
  std::unique_ptr<u64[]> fallbacks_;
};

}  // namespace ringshift
