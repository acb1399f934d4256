// TrapEngine: trap and emulate, the oldest way (-engine trap; docs/trap.md).
#pragma once

#include <memory>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"

namespace ringshift {

class TrapEngine final : public ExecutionEngine {
 public:
  // cpu must outlive the engine. Where the host doesn't allow what it needs (ptrace, modify_ldt):
  // ErrorKind::engine_unavailable.
  static Result<std::unique_ptr<TrapEngine>> create(Cpu& cpu);
  ~TrapEngine() override;

  ExitReason run(CpuIo& io) override;
  void request_exit() override;
  void save(VcpuState& state) const override;
  void restore(const VcpuState& state) override;
  EngineCapabilities capabilities() const override;
  void report(StatsSink& sink) const override;
  std::string failure() const override;

 private:
  class Impl;
  explicit TrapEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringshift
