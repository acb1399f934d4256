// Which quirks this host has.
#include "hw-accel-kvm/host_quirks.h"

#include <cpuid.h>

#include <cstring>

namespace ringshift {

namespace {
constexpr unsigned kHypervisorLeaf = 0x40000000;  // signature in EBX, ECX, EDX

bool hypervisor_is(const char (&signature)[13]) {
  unsigned eax, ebx, ecx, edx;
  if (__get_cpuid(1, &eax, &ebx, &ecx, &edx) == 0 || (ecx & (1u << 31)) == 0) return false;
  unsigned parts[3];
  __cpuid(kHypervisorLeaf, eax, parts[0], parts[1], parts[2]);
  return std::memcmp(parts, signature, sizeof parts) == 0;
}
}  // namespace

HostQuirks HostQuirks::of_this_host() {
  const bool tcg = hypervisor_is("TCGTCGTCGTCG");
  return {.task_register_not_busy = tcg, .no_resume_flag = tcg};
}

}  // namespace ringshift
