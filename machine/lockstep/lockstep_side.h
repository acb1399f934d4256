// LockstepSide: one of the two machines that run in lockstep, and the comparison with the other.
#pragma once

#include <span>

#include "machine/machine.h"

namespace ringshift {

// What a machine came to, at some count of instructions.
struct Course {
  RunOutcome::Kind ended;
  u64 retired;
  const VcpuState& state;
  std::span<const bt::IoEvent> io;  // since the last comparison
  const GuestMemory& ram;
  std::span<const u8> devices;  // empty: not known
  std::string_view failure{};   // if it ended so
  bool by_kvm = false;          // what KVM doesn't keep of a state isn't compared
};

// The first difference in words, "EAX: 00000001 / 00000002"; empty if there is none. Accessed and dirty bits
// in what may be paging entries aren't compared: they depend on what each engine's TLB holds.
std::string difference_of(const Course& left, const Course& right);

class LockstepSide {
 public:
  static Result<std::unique_ptr<LockstepSide>> create(MachineConfig config, EngineKind engine,
                                                      MachineBackends backends);

  // Runs to this count, or to the guest's end; false at its end.
  bool run_to(u64 retired);
  Course course();
  void forget_io() { io_.clear(); }
  std::size_t io_count() const { return io_.events().size(); }
  const std::vector<bt::IoEvent>& io() const { return io_.events(); }

  Machine& machine() { return *machine_; }
  std::string_view name() const { return machine_->engines().current_name(); }
  const VcpuState& state() { return machine_->cpu().state; }
  const RunOutcome& outcome() const { return outcome_; }
  // Of a run that the engine itself ended.
  std::string_view failure() const;
  bool by_kvm() const { return by_kvm_; }
  // Of an engine that steps: what it did and what it left to the CPU model, a line each; else empty.
  std::string notes() const;

 private:
  LockstepSide() = default;
  std::unique_ptr<Machine> machine_;
  bt::IoRecorder io_;
  RunOutcome outcome_{RunOutcome::Kind::reached};
  std::vector<u8> devices_;
  bool by_kvm_ = false;
};

}  // namespace ringshift
