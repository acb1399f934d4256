// MachineConfig: what a machine is made of, as the command line or a test says.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "base/types.h"
#include "machine/loaders/boot_files.h"

namespace ringshift {

namespace bt {
class HistoryListener;
}

enum class EngineKind { bt, interp, kvm, trap };
enum class BtMemory { soft, window, automatic };
// What the guest was made for: a PC, or Xen's paravirtual interface (docs/xen-pv.md).
enum class GuestAbi { pc, xen_pv };

// -engine-switch: engines in turn, each for its time of the guest's clock.
struct EngineTurn {
  std::string engine;
  u64 length;  // ns, or instructions
};
struct EngineTurns {
  bool counted = false;  // lengths are instructions; needs virtual time
  std::vector<EngineTurn> turns;
};

// -device isa-debug-exit
struct DebugExitConfig {
  u16 iobase = 0x501;
  unsigned iosize = 2;
};

// -drive
struct XenDisk {
  static constexpr unsigned kMax = 16;  // xvda to xvdp
  std::string file;
  bool read_only = false;
};

struct MachineConfig {
  u64 ram_bytes = u64{128} << 20;
  std::string cpu_model = "n270";
  GuestAbi guest_abi = GuestAbi::pc;
  std::vector<XenDisk> xen_disks;                   // xvda, xvdb, ...
  std::vector<EngineKind> engines{EngineKind::bt};  // none twice; the first runs first
  std::optional<EngineTurns> engine_turns;
  BtMemory bt_memory = BtMemory::automatic;
  u64 bt_cache_bytes = 0;                      // 0: the engine's default
  bool count_instructions = false;             // for -stats, under bt; costs some percent
  bool bt_verify = false;                      // -d verify
  unsigned bt_verify_part = 1;                 // of this many instructions, verify one
  std::vector<u32> bt_single_blocks;           // BtOptions::single_blocks
  bt::HistoryListener* bt_listener = nullptr;  // BtOptions::listener; outlives the machine
  std::optional<unsigned> icount_shift;        // virtual time: an instruction is 2^shift ns
  BootFiles boot;
  bool no_reboot = false;
  bool kvm_counts = false;  // KvmOptions::count_instructions
  bool kvm_cpuid = false;   // CPUID is what KVM can give, also without it in the set
  std::optional<DebugExitConfig> debug_exit;

  bool has_engine(EngineKind kind) const {
    return std::find(engines.begin(), engines.end(), kind) != engines.end();
  }
};

}  // namespace ringshift
