// ProbeGuest: a few bytes of machine code that show whether KVM runs a mode of the CPU.
#pragma once

#include <span>
#include <string_view>
#include <vector>

#include "base/types.h"
#include "cpu-model/vcpu_state.h"

namespace ringshift {

// Writes kProbeAnswer to kProbePort if all is well.
inline constexpr u16 kProbePort = 0xf4;
inline constexpr u8 kProbeAnswer = 0x5a;
inline constexpr u64 kProbeMemory = u64{1} << 20;

struct ProbeGuest {
  std::string_view name;  // as reports have it
  VcpuState state;
  // What is written to guest memory: address and bytes.
  struct Bytes {
    u32 at;
    std::vector<u8> bytes;
  };
  std::vector<Bytes> memory;
};

// Each shows one thing more than those before it.
inline constexpr std::string_view kProbeRealMode = "real mode";
inline constexpr std::string_view kProbePaging = "32-bit paging";
inline constexpr std::string_view kProbePae = "PAE paging";
inline constexpr std::string_view kProbeProtectedInterrupt = "protected mode: int and iret";
std::vector<ProbeGuest> probe_guests();

// Guests that exit again and again, `count` times, and halt: by OUT, and by a store to where no memory is.
ProbeGuest port_exit_guest(u32 count);
ProbeGuest mmio_exit_guest(u32 count);

}  // namespace ringshift
