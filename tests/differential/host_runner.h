// HostRunner: runs 32-bit user-level code on the host's own CPU, in compatibility mode.
#pragma once

#include <sys/ucontext.h>

#include <memory>

#include "base/result.h"
#include "base/unique_fd.h"
#include "tests/differential/arena_mapping.h"
#include "tests/differential/flat_machine.h"
#include "tests/differential/host_signals.h"

namespace ringshift::differential {

// What host_enter.S shares with the signal handler; the offsets are known there.
struct HostContext {
  alignas(16) u8 host_fx[512];
  alignas(16) u8 fx[512];
  u64 frame[5];  // RIP CS RFLAGS RSP SS, for IRETQ
  u32 gpr[8];
  u64 host_rsp;
  u16 ds, es;
};

// One at a time in a process: it owns the low addresses and the handlers of the synchronous signals.
class HostRunner final : public Runner {
 public:
  // Fails where the low addresses aren't free (a program that isn't position-independent).
  static Result<std::unique_ptr<HostRunner>> create();
  // Whether this host runs 32-bit code at all (a hypervisor may let 64-bit segments pass alone): tried in a
  // child.
  static bool host_can();
  HostRunner(const HostRunner&) = delete;
  ~HostRunner() override;

  void write(u32 address, std::span<const u8> bytes) override;
  const u8* arena(ArenaIndex index) const override;
  RunResult run(const UserState& state) override;
  bool has_low_arena() const { return arenas_.has_low(); }
  // Whether the kernel let the LDT be filled (small_segments.h).
  bool has_small_segments() const { return has_small_segments_; }

  // From the signal handler: false if the signal didn't come from the 32-bit code.
  bool capture(int signal, ucontext_t& context);

 private:
  HostRunner() = default;
  Result<void> map();
  UniqueFd memory_;
  u8* alias_ = nullptr;  // all arenas, writable, one after another
  bool has_small_segments_ = false;
  unsigned ticks_ = 0;
  HostContext context_{};
  RunResult result_{};
  ArenaMapping arenas_;
  SignalStack signal_stack_;
};

}  // namespace ringshift::differential
