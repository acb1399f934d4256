// One entry into an empty 32-bit address space.
#include "direct-exec/compatibility_mode.h"

#include <signal.h>
#include <sys/user.h>

#include "direct-exec/selector_aliases.h"

namespace ringshift {

namespace {
constexpr u32 kNothingThere = 0x100000;
constexpr SegmentRegister kCode{8,   0, kSegPresent | kSegNotSystem | kSegCode | kSegWritable | kSegBig,
                                ~0u, 0, 0};
constexpr SegmentRegister kData{16, 0, kSegPresent | kSegNotSystem | kSegWritable | kSegBig, ~0u, 0, 0};
}  // namespace

Result<void> check_compatibility_mode(ProcessNest& nest) {
  const auto process = RS_TRY(nest.spawn());
  SelectorAliases aliases;
  user_regs_struct registers{};
  registers.cs = aliases.alias_of(kCode);
  registers.ss = aliases.alias_of(kData);
  registers.rip = kNothingThere;
  registers.eflags = kFlagFixed | kFlagIf;
  const u64 entered = registers.cs;
  aliases.install(*process);
  if (!process->flush())
    return fail(ErrorKind::engine_unavailable, "-engine trap: this host's kernel has no modify_ldt");
  const HostStop stop = process->run(registers, false);
  // There the fetch of the first instruction finds no page.
  if (stop.kind == HostStop::Kind::fault && stop.signal == SIGSEGV && stop.code == SEGV_MAPERR &&
      registers.cs == entered && registers.rip == kNothingThere)
    return {};
  return fail(ErrorKind::engine_unavailable,
              "-engine trap: this host runs no 32-bit code (its kernel, or the hypervisor below it, has "
              "64-bit segments alone); use -engine bt");
}

}  // namespace ringshift
