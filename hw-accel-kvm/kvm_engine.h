// KvmEngine: guest code on the CPU itself, through KVM (-engine kvm).
#pragma once

#include <memory>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "hw-accel-kvm/kvm_system.h"

namespace ringshift {

struct KvmOptions {
  const char* device = kKvmDevice;
  u32 tsc_khz = 0;  // the rate of CpuIo::read_tsc()
  // Instructions are counted, by a step for each: a thousand times slower (counted_run.h).
  bool count_instructions = false;
};

class KvmEngine final : public ExecutionEngine {
 public:
  // cpu must outlive the engine. Every reason why KVM can't run the guest here is
  // ErrorKind::engine_unavailable.
  static Result<std::unique_ptr<KvmEngine>> create(Cpu& cpu, const KvmOptions& options);
  ~KvmEngine() override;

  ExitReason run(CpuIo& io) override;
  void request_exit() override;
  void save(VcpuState& state) const override;
  void restore(const VcpuState& state) override;
  EngineCapabilities capabilities() const override;
  void report(StatsSink& sink) const override;
  std::string failure() const override;

  // run() returns `requested` after each instruction; interrupts wait meanwhile.
  void set_single_step(bool on);
  // The guest's TSC does not run at the Clock's rate: in one sentence; else empty.
  std::string tsc_note() const;

 private:
  class Impl;
  explicit KvmEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringshift
