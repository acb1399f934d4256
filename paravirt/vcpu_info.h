// VcpuInfo: the virtual CPU's part of shared_info, which the guest reads and writes as well, at any time.
#pragma once

#include "paravirt/abi/xen_public.h"
#include "paravirt/machine_memory.h"

namespace ringshift::xen {

class VcpuInfo {
 public:
  using Layout = xen32::vcpu_info_x86_32;

  VcpuInfo(MachineMemory& memory, Mfn shared_info) : memory_(memory), mfn_(shared_info) {}

  Mfn mfn() const { return mfn_; }
  bool upcall_pending() const { return read(offsetof(Layout, evtchn_upcall_pending)) != 0; }
  // Upcalls are masked: what EFLAGS.IF = 0 is to a native kernel.
  bool masked() const { return read(offsetof(Layout, evtchn_upcall_mask)) != 0; }
  void set_masked(bool masked) {
    const u8 value = masked ? 1 : 0;
    memory_.write(mfn_, offsetof(Layout, evtchn_upcall_mask), &value, sizeof value);
  }
  // evtchn_upcall_mask, for stores that nobody need be told of; null: somebody must.
  u8* plain_mask() const {
    const bool told = (memory_.map().flags(u64{mfn_} << kPageShift) & kWriteAttributes) != 0;
    return told ? nullptr : memory_.bytes(mfn_) + offsetof(Layout, evtchn_upcall_mask);
  }
  bool upcall_due() const { return upcall_pending() && !masked(); }
  u32 cr2() const {
    u32 value;
    std::memcpy(&value, memory_.frame(mfn_) + offsetof(Layout, arch.cr2), sizeof value);
    return value;
  }
  void set_cr2(u32 value) { memory_.write(mfn_, offsetof(Layout, arch.cr2), &value, sizeof value); }
  void set_time(const xen32::vcpu_time_info_x86_32& time) {
    memory_.write(mfn_, offsetof(Layout, time), &time, sizeof time);
  }

 private:
  u8 read(std::size_t offset) const { return memory_.frame(mfn_)[offset]; }
  MachineMemory& memory_;
  Mfn mfn_;
};

}  // namespace ringshift::xen
