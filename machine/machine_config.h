// MachineConfig: what a machine is made of, as the command line or a test says.
#pragma once

#include <optional>
#include <string>

#include "base/types.h"
#include "machine/loaders/boot_files.h"

namespace ringshift {

enum class EngineKind { bt, interp };
enum class BtMemory { soft, window, automatic };

// -device isa-debug-exit
struct DebugExitConfig {
  u16 iobase = 0x501;
  unsigned iosize = 2;
};

struct MachineConfig {
  u64 ram_bytes = u64{128} << 20;
  std::string cpu_model = "n270";
  EngineKind engine = EngineKind::bt;
  BtMemory bt_memory = BtMemory::automatic;
  u64 bt_cache_bytes = 0;                // 0: the engine's default
  bool count_instructions = false;       // for -stats, under bt; costs some percent
  bool bt_verify = false;                // -d verify
  unsigned bt_verify_part = 1;           // of this many instructions, verify one
  std::optional<unsigned> icount_shift;  // virtual time: an instruction is 2^shift ns
  BootFiles boot;
  bool no_reboot = false;
  std::optional<DebugExitConfig> debug_exit;
};

}  // namespace ringshift
