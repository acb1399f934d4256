// DirectRun: one stretch of guest code in a guest process: state in, run, state out.
#pragma once

#include "cpu-model/cpu.h"
#include "direct-exec/guest_process.h"
#include "direct-exec/selector_aliases.h"

namespace ringshift {

class DirectRun {
 public:
  explicit DirectRun(Cpu& cpu) : cpu_(cpu) {}

  // Queues what the process needs for cpu.state's segments. Then flush the process's queue, and run().
  void prepare(GuestProcess& process);
  // After prepare(): guest code, until the process stops. cpu.state is then what the code left, but for x87
  // and SSE state. If the code left 32-bit mode, only general registers, EIP and flags are taken over.
  HostStop run(GuestProcess& process, bool single_step);
  // Of the last stop: the code segment was none that the guest has loaded; the selector that was there.
  bool left_its_code() const { return left_its_code_; }
  u16 host_code_selector() const { return host_code_; }
  // Of the last stop: Linux's entry for SYSENTER or SYSCALL in 32-bit code was used, which sets RIP to where
  // a 32-bit vDSO would be.
  bool at_vdso() const { return host_code_ == kHostCode32 && host_rip_ >> 32 != 0; }
  // Of the last stop, a fault: Linux's entry for SYSENTER could not read the word at EBP, an argument to it,
  // and returned without a stop to where the vDSO would be, of which 32 bits are left. EAX is its error, EBP
  // 0.
  bool behind_refused_sysenter(const HostStop& stop) const;
  // EAX as a system call's entry saves it.
  u32 system_call_number() const { return static_cast<u32>(host_orig_rax_); }

  // Makes state.fx the truth.
  void bring_fpu_home();
  // The processes are gone, or cpu.state was replaced.
  void forget() { fpu_in_ = nullptr; }

  const SelectorAliases& aliases() const { return aliases_; }
  u64 silent_loads() const { return silent_loads_; }
  u64 late_faults() const { return late_faults_; }
  u64 fpu_moves() const { return fpu_moves_; }

 private:
  static constexpr u16 kHostCode32 = 0x23;
  void send_fpu(GuestProcess& process);
  void take_segment(Seg which, u16 host_selector);
  void take_code_segment(u16 host_selector);

  Cpu& cpu_;
  SelectorAliases aliases_;
  u16 entered_with_[kSegCount] = {};
  GuestProcess* fpu_in_ = nullptr;  // null: state.fx is the truth
  bool left_its_code_ = false;
  u16 host_code_ = 0;
  u64 host_rip_ = 0;
  u64 host_orig_rax_ = 0;
  u64 silent_loads_ = 0, late_faults_ = 0, fpu_moves_ = 0;
};

}  // namespace ringshift
