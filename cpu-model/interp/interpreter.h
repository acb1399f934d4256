// Interpreter: one instruction at a time; the reference that every other engine is tested against.
#pragma once

#include <memory>
#include <string_view>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"
#include "cpu-model/instruction.h"
#include "cpu-model/interp/decode_cache.h"

namespace ringshift {

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

  // Executes the instruction at CS:EIP, faults and debug traps delivered; events aren't looked at, the
  // interrupt shadow ends as it would. cpu.io must be set. `cached`: through the decode cache (the
  // interpreter as an engine), or decoding afresh (fallback of another engine, whose pages should carry no
  // interp attribute). Returns true if the instruction completed, or a REP made progress, without a fault.
  bool step(bool cached);
  // Executes an instruction that the caller decoded at CS:EIP (`ready`), with neither TF nor breakpoints
  // armed and no interrupt shadow: a translator's fallback. As step() otherwise; counts as a fallback.
  bool execute_ready(const DecodedInstruction& decoded);
  DecodedInstruction ready(const Instruction& insn, CodeMode mode) const;
  // Those instructions that step(false) executed most, by mnemonic (another engine's fallbacks), for -stats.
  void report_fallbacks(StatsSink& sink, std::string_view group) const;

 private:
  // What one handler came to.
  enum class Progress { faulted, unfinished, retired };

  ExitReason loop(CpuIo& io);
  void attend(CpuIo& io);
  bool cached_step();
  bool careful_step(bool cached);
  bool deliver_instruction_breakpoint();
  void deliver_debug_traps(const DecodedInstruction& decoded, bool single_step);
  const DecodedInstruction* find_cached();
  Outcome<const DecodedInstruction*> fetch(bool cached);
  Outcome<> decode(Gva gva, CodeMode mode, DecodedInstruction& out);
  const DecodedInstruction* keep(Gva gva, const DecodedInstruction& decoded);
  void choose_handler(DecodedInstruction& decoded) const;
  Progress execute(const DecodedInstruction& decoded);
  Progress execute_quickly(const DecodedInstruction& decoded);
  Progress fail(const Fault& fault);
  void raise_fault(const Fault& fault);
  void trace_instruction(const Instruction& insn);

  Cpu& cpu_;
  Decoder decoder_;
  const HandlerTable& handlers_;
  DecodeCache& cache_;  // cpu_.decode_cache
  std::unique_ptr<u64[]> fallbacks_;
  DecodedInstruction scratch_{};
  bool tracing_ = false;
  u64 retired_ = 0;  // in run()
};

}  // namespace ringshift
