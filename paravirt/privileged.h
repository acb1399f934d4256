// Privileged: instructions of the guest's kernel that fault in ring 1 and that Xen executes for it, and CPUID
// as asked for.
#pragma once

#include "cpu-model/cpuid.h"
#include "cpu-model/instruction.h"
#include "cpu-model/outcome.h"

namespace ringshift {
struct Cpu;
}

namespace ringshift::xen {

class Domain;

class Privileged {
 public:
  explicit Privileged(Domain& domain);

  // #GP(0) of the kernel at EIP: true if the instruction was executed; then EIP is behind it.
  bool emulate();
  // #UD at EIP: the same for CPUID behind Xen's prefix, at any level.
  bool emulate_forced_cpuid();
  // CPUID as Xen shows it: without what a paravirtual guest can't use, with Xen's own leaves.
  CpuidRegisters cpuid(u32 leaf, u32 subleaf) const;

 private:
  bool execute(const Instruction& insn);
  bool read_control(unsigned number, u8 to);
  bool write_control(unsigned number, u32 value);
  bool read_msr(u32 index);
  bool write_msr(u32 index, u64 value);
  bool iopl_allows() const;

  Domain& domain_;
  Decoder decoder_;
};

// DR0-DR7 as a guest may set them; false: refused.
bool set_debug_register(Cpu& cpu, unsigned number, u32 value);

}  // namespace ringshift::xen
