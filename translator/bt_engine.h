// BtEngine: the binary-translation engine (-engine bt).
#pragma once

#include <memory>
#include <vector>

#include "cpu-model/cpu.h"
#include "cpu-model/execution_engine.h"

namespace ringshift {

namespace bt {
class HistoryListener;
}

struct BtOptions {
  enum class Memory { soft, window, automatic };
  Memory memory = Memory::automatic;
  u64 cache_bytes = u64{32} << 20;  // of translated code
  bool verify = false;              // run each block by interp too, and compare
  bool count_instructions = false;  // without virtual time or verify: RunControl::retired has no meaning
  // Of so many instructions verify one, in slices of so many stretches (translator/verifier.h).
  unsigned verify_part = 1;
  u64 verify_slice = u64{1} << 18;
  // The instructions at these EIPs stand in blocks of their own: for who looks for one of a block that goes
  // wrong (machine/lockstep).
  std::vector<u32> single_blocks;
  // Hears of every block while the engine lives; null: nobody does (translator/history/history_listener.h).
  bt::HistoryListener* listener = nullptr;
};

class BtEngine final : public ExecutionEngine {
 public:
  // cpu must outlive the engine. Fails where the host can't give what it needs (memfd, executable mappings).
  static Result<std::unique_ptr<BtEngine>> create(Cpu& cpu, const BtOptions& options);
  ~BtEngine() override;

  ExitReason run(CpuIo& io) override;
  void request_exit() override;
  void save(VcpuState& state) const override;
  void restore(const VcpuState& state) override;
  EngineCapabilities capabilities() const override;
  void report(StatsSink& sink) const override;
  std::string failure() const override;
  std::string list_next() override;

 private:
  class Impl;
  explicit BtEngine(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace ringshift
