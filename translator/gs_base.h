// GsBase: the base of GS, which every access through a window hangs on.
//
// WRGSBASE works wherever the CPU lets it, but Linux keeps over a context switch what it wrote only if it
// uses FSGSBASE itself (AT_HWCAP2 says so; since 5.9, but for some hypervisors' guests and nofsgsbase).
// Elsewhere GS base would suddenly be 0, and the guest's accesses go to the monitor's own low addresses:
// there the kernel is asked.
#pragma once

#include <asm/hwcap2.h>
#include <asm/prctl.h>
#include <sys/auxv.h>
#include <sys/syscall.h>

#include "base/types.h"

namespace ringshift::bt {

class GsBase {
 public:
  // direct: by WRGSBASE.
  explicit GsBase(bool direct = (getauxval(AT_HWCAP2) & HWCAP2_FSGSBASE) != 0) : direct_(direct) {}

  // base: not null. Inlined into helpers that run with the guest's vector registers live, so it calls
  // nothing.
  void set(const u8* base) {
    if (base == current_) return;
    current_ = base;
    if (direct_) {
      asm volatile("wrgsbase %0" : : "r"(base));
      return;
    }
    long result = SYS_arch_prctl;
    asm volatile("syscall" : "+a"(result) : "D"(ARCH_SET_GS), "S"(base) : "rcx", "r11", "memory");
  }
  // Whether a change costs some ten ns, not a system call.
  bool direct() const { return direct_; }
  // Others may have used it.
  void forget() { current_ = nullptr; }

 private:
  const bool direct_;
  const u8* current_ = nullptr;
};

}  // namespace ringshift::bt
