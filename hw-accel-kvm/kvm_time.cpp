// The guest's time-stamp counter under KVM.
#include "hw-accel-kvm/kvm_time.h"

#include <sys/ioctl.h>

#include <cerrno>

#include "hw-accel-kvm/counted_list.h"

namespace ringshift {

namespace {
constexpr u32 kTscMsr = 0x10;

using OneMsr = CountedList<kvm_msrs, kvm_msr_entry, 1>;

OneMsr tsc_msr(u64 value) {
  OneMsr msr;
  msr.head()->nmsrs = 1;
  msr[0] = {kTscMsr, 0, value};
  return msr;
}

kvm_device_attr offset_attribute(u64& value) {
  kvm_device_attr attribute{};
  attribute.group = KVM_VCPU_TSC_CTRL;
  attribute.attr = KVM_VCPU_TSC_OFFSET;
  attribute.addr = reinterpret_cast<u64>(&value);
  return attribute;
}
}  // namespace

KvmTime::KvmTime(const KvmSystem& system, const KvmVcpu& vcpu, u32 wanted_khz) : vcpu_(vcpu) {
  if (system.extension(KVM_CAP_TSC_CONTROL) != 0) ::ioctl(vcpu.fd(), KVM_SET_TSC_KHZ, wanted_khz);
  const int khz = ::ioctl(vcpu.fd(), KVM_GET_TSC_KHZ, 0);
  khz_ = khz > 0 ? static_cast<u32>(khz) : 0;
  // To within what the two sides' calibrations may differ by.
  constexpr u32 kPartsPerMillion = 250;
  const u32 difference = khz_ > wanted_khz ? khz_ - wanted_khz : wanted_khz - khz_;
  follows_clock_ = khz_ != 0 && u64{difference} * 1'000'000 <= u64{wanted_khz} * kPartsPerMillion;
  u64 ignored = 0;
  const kvm_device_attr attribute = offset_attribute(ignored);
  has_offset_ = ::ioctl(vcpu.fd(), KVM_HAS_DEVICE_ATTR, &attribute) == 0;
}

Result<u64> KvmTime::guest_tsc() const {
  OneMsr msr = tsc_msr(0);
  RS_TRY(vcpu_.request(KVM_GET_MSRS, msr.head(), "KVM_GET_MSRS"));
  return u64{msr[0].data};
}

// Writing the MSR itself won't do where the offset can be written: KVM takes two writes within a second for
// an attempt to synchronize vCPUs, and changes the value.
Result<void> KvmTime::set_guest_tsc(u64 value) const {
  if (!has_offset_) {
    OneMsr msr = tsc_msr(value);
    return vcpu_.request(KVM_SET_MSRS, msr.head(), "KVM_SET_MSRS");
  }
  u64 offset = 0;
  kvm_device_attr attribute = offset_attribute(offset);
  RS_TRY(vcpu_.request(KVM_GET_DEVICE_ATTR, &attribute, "KVM_VCPU_TSC_OFFSET"));
  offset += value - RS_TRY(guest_tsc());
  return vcpu_.request(KVM_SET_DEVICE_ATTR, &attribute, "KVM_VCPU_TSC_OFFSET");
}

Result<void> KvmTime::load(CpuIo& io, const VcpuState& state) const {
  return set_guest_tsc(io.read_tsc() + state.tsc_offset);
}

Result<void> KvmTime::save(CpuIo& io, VcpuState& state) const {
  if (follows_clock_) return {};
  state.tsc_offset = RS_TRY(guest_tsc()) - io.read_tsc();
  return {};
}

}  // namespace ringshift
