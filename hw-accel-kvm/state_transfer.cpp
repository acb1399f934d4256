// A StateImage into a KVM vCPU and out of it.
#include "hw-accel-kvm/counted_list.h"
#include "hw-accel-kvm/state_image.h"

namespace ringshift {

namespace {
constexpr u32 kSysenterCs = 0x174;
constexpr u32 kTscAux = 0xc0000103;

using MsrList = CountedList<kvm_msrs, kvm_msr_entry, 4>;

MsrList msr_list(const StateImage& image, bool has_tsc_aux) {
  MsrList list;
  list.head()->nmsrs = has_tsc_aux ? 4 : 3;
  for (unsigned i = 0; i < 3; ++i) list[i] = {kSysenterCs + i, 0, image.sysenter[i]};
  list[3] = {kTscAux, 0, image.tsc_aux};
  return list;
}
}  // namespace

Result<void> load_image(const KvmVcpu& vcpu, StateImage& image, bool has_tsc_aux) {
  RS_TRY(vcpu.request(KVM_SET_SREGS2, &image.sregs, "KVM_SET_SREGS2"));
  RS_TRY(vcpu.request(KVM_SET_REGS, &image.regs, "KVM_SET_REGS"));
  RS_TRY(vcpu.request(KVM_SET_XSAVE, &image.xsave, "KVM_SET_XSAVE"));
  RS_TRY(vcpu.request(KVM_SET_DEBUGREGS, &image.debug, "KVM_SET_DEBUGREGS"));
  MsrList msrs = msr_list(image, has_tsc_aux);
  RS_TRY(vcpu.request(KVM_SET_MSRS, msrs.head(), "KVM_SET_MSRS"));
  return vcpu.request(KVM_SET_VCPU_EVENTS, &image.events, "KVM_SET_VCPU_EVENTS");
}

Result<StateImage> read_image(const KvmVcpu& vcpu, bool has_tsc_aux) {
  StateImage image{};
  RS_TRY(vcpu.request(KVM_GET_VCPU_EVENTS, &image.events, "KVM_GET_VCPU_EVENTS"));
  RS_TRY(vcpu.request(KVM_GET_SREGS2, &image.sregs, "KVM_GET_SREGS2"));
  RS_TRY(vcpu.request(KVM_GET_REGS, &image.regs, "KVM_GET_REGS"));
  RS_TRY(vcpu.request(KVM_GET_XSAVE, &image.xsave, "KVM_GET_XSAVE"));
  RS_TRY(vcpu.request(KVM_GET_DEBUGREGS, &image.debug, "KVM_GET_DEBUGREGS"));
  MsrList msrs = msr_list(image, has_tsc_aux);
  RS_TRY(vcpu.request(KVM_GET_MSRS, msrs.head(), "KVM_GET_MSRS"));
  for (unsigned i = 0; i < 3; ++i) image.sysenter[i] = msrs[i].data;
  if (has_tsc_aux) image.tsc_aux = msrs[3].data;
  return image;
}

}  // namespace ringshift
