// Making a KVM virtual machine.
#include "hw-accel-kvm/kvm_vm.h"

#include <sys/ioctl.h>

#include <cerrno>
#include <cstring>
#include <iterator>

#include "hw-accel-kvm/kvm_abi.h"

namespace ringshift {

namespace {
// Without unrestricted guests Intel's KVM keeps four pages of its own for real mode; RAM never reaches so
// far.
constexpr u64 kIdentityMap = 0xfffbc000;
constexpr u64 kTssPages = kIdentityMap + kPageSize;

// MSRs are the CPU model's (cpu-model/msr.h), but for those that guests use often and hardware must hold.
Result<void> hand_over_msrs(int vm) {
  kvm_enable_cap enable{};
  enable.cap = KVM_CAP_X86_USER_SPACE_MSR;
  enable.args[0] = KVM_MSR_EXIT_REASON_FILTER | KVM_MSR_EXIT_REASON_INVAL | KVM_MSR_EXIT_REASON_UNKNOWN;
  if (::ioctl(vm, KVM_ENABLE_CAP, &enable) != 0)
    return tl::unexpected(kvm_error("KVM_CAP_X86_USER_SPACE_MSR", errno));
  u8 three_allowed[1] = {0x07};
  u8 one_allowed[1] = {0x01};
  kvm_msr_filter filter{};
  filter.flags = KVM_MSR_FILTER_DEFAULT_DENY;
  filter.ranges[0] = {KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 3, 0x174, three_allowed};     // SYSENTER_*
  filter.ranges[1] = {KVM_MSR_FILTER_READ | KVM_MSR_FILTER_WRITE, 1, 0xc0000103, one_allowed};  // TSC_AUX
  if (::ioctl(vm, KVM_X86_SET_MSR_FILTER, &filter) != 0)
    return tl::unexpected(kvm_error("KVM_X86_SET_MSR_FILTER", errno));
  return {};
}
}  // namespace

Result<KvmVm> KvmVm::create(const KvmSystem& system) {
  UniqueFd fd(::ioctl(system.fd(), KVM_CREATE_VM, 0));
  if (!fd) return tl::unexpected(kvm_error("KVM_CREATE_VM", errno));
  u64 identity = kIdentityMap;
  if (system.extension(KVM_CAP_SET_IDENTITY_MAP_ADDR) != 0 &&
      ::ioctl(fd.get(), KVM_SET_IDENTITY_MAP_ADDR, &identity) != 0)
    return tl::unexpected(kvm_error("KVM_SET_IDENTITY_MAP_ADDR", errno));
  if (::ioctl(fd.get(), KVM_SET_TSS_ADDR, kTssPages) != 0)
    return tl::unexpected(kvm_error("KVM_SET_TSS_ADDR", errno));
  RS_TRY(hand_over_msrs(fd.get()));
  constexpr unsigned kLeastSlots = 32;
  const int slots = system.extension(KVM_CAP_NR_MEMSLOTS);
  return KvmVm(std::move(fd), slots > 0 ? static_cast<unsigned>(slots) : kLeastSlots);
}

Result<void> KvmVm::set_slot(unsigned number, const MemorySlot& slot) {
  kvm_userspace_memory_region region{};
  region.slot = number;
  region.flags = (slot.read_only ? KVM_MEM_READONLY : 0) | (slot.dirty_log ? KVM_MEM_LOG_DIRTY_PAGES : 0);
  region.guest_phys_addr = slot.gpa;
  region.memory_size = slot.length;
  region.userspace_addr = reinterpret_cast<u64>(slot.host);
  if (::ioctl(fd_.get(), KVM_SET_USER_MEMORY_REGION, &region) != 0)
    return tl::unexpected(kvm_error("KVM_SET_USER_MEMORY_REGION", errno));
  return {};
}

Result<void> KvmVm::remove_slot(unsigned number) { return set_slot(number, {}); }

Result<std::vector<u64>> KvmVm::take_dirty_log(unsigned number, u64 pages) {
  std::vector<u64> bits((pages + 63) / 64);
  kvm_dirty_log log{};
  log.slot = number;
  log.dirty_bitmap = bits.data();
  if (::ioctl(fd_.get(), KVM_GET_DIRTY_LOG, &log) != 0)
    return tl::unexpected(kvm_error("KVM_GET_DIRTY_LOG", errno));
  return bits;
}

}  // namespace ringshift
