// CPUID: from the machine's table to KVM's.
#include "hw-accel-kvm/kvm_cpuid.h"

#include <sys/ioctl.h>

#include <cerrno>

#include "base/bits.h"
#include "hw-accel-kvm/counted_list.h"
#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

namespace {
using EntryList = CountedList<kvm_cpuid2, kvm_cpuid_entry2, 256>;

Result<EntryList> supported_entries(const KvmSystem& system) {
  EntryList list{};
  list.head()->nent = EntryList::capacity();
  if (::ioctl(system.fd(), KVM_GET_SUPPORTED_CPUID, list.head()) != 0)
    return tl::unexpected(kvm_error("KVM_GET_SUPPORTED_CPUID", errno));
  return list;
}

CpuidRegisters registers_of(const EntryList& list, u32 leaf) {
  for (u32 i = 0; i < list.head()->nent; ++i) {
    const kvm_cpuid_entry2& entry = list[i];
    if (entry.function == leaf && entry.index == 0) return {entry.eax, entry.ebx, entry.ecx, entry.edx};
  }
  return {};
}

// KVM takes a linear address width of 48, 57 or 0 bits, not of the 32 that this CPU has; 0 is "not said".
u32 without_linear_width(u32 leaf, u32 eax) {
  constexpr u32 kAddressSizes = 0x80000008;
  return leaf == kAddressSizes ? eax & ~u32{0xff00} : eax;
}

bool has_subleaves(u32 leaf) { return leaf == 4 || leaf == 7; }
}  // namespace

Result<HostFeatures> kvm_host_features(const KvmSystem& system, HostFeatures host) {
  const EntryList list = RS_TRY(supported_entries(system));
  for (const CpuidFeatureBit& bit : cpuid_feature_bits()) {
    const CpuidRegisters given = registers_of(list, bit.leaf);
    const u32 reg = bit.reg == CpuidFeatureBit::Reg::ebx   ? given.ebx
                    : bit.reg == CpuidFeatureBit::Reg::ecx ? given.ecx
                                                           : given.edx;
    if (!has_bit(reg, bit.bit)) host = host.without(bit.feature);
  }
  return host;
}

Result<void> load_cpuid(const KvmVcpu& vcpu, const CpuidTable& table) {
  EntryList list{};
  for (const CpuidTable::Leaf& leaf : table.leaves()) {
    if (list.head()->nent == EntryList::capacity()) break;
    kvm_cpuid_entry2& entry = list[list.head()->nent++];
    entry.function = leaf.leaf;
    entry.index = leaf.subleaf;
    entry.flags = has_subleaves(leaf.leaf) ? KVM_CPUID_FLAG_SIGNIFCANT_INDEX : 0;
    entry.eax = without_linear_width(leaf.leaf, leaf.registers.eax);
    entry.ebx = leaf.registers.ebx;
    entry.ecx = leaf.registers.ecx;
    entry.edx = leaf.registers.edx;
  }
  return vcpu.request(KVM_SET_CPUID2, list.head(), "KVM_SET_CPUID2");
}

}  // namespace ringshift
