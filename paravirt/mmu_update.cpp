// HYPERVISOR_mmu_update and HYPERVISOR_update_va_mapping.
#include "paravirt/domain.h"

namespace ringshift::xen {

int check_foreign_domain(u32 domid) {
  return domid == DOMID_SELF || domid == kDomainId ? 0
         : domid == DOMID_IO || domid == DOMID_XEN ? -XEN_EPERM
                                                   : -XEN_ESRCH;
}

namespace {

constexpr u32 kPreempted =
    1u << 31;  // of a count: `done` holds what was done before (Xen's MMU_UPDATE_PREEMPTED)

int one_update(Domain& domain, const xen32::mmu_update& update) {
  const u64 mfn = update.ptr >> kPageShift;
  const auto offset = static_cast<u32>(update.ptr & kPageOffsetMask);
  const u32 command = offset & 3;
  if (command == MMU_MACHPHYS_UPDATE) {
    if (!domain.frames.is_domains(mfn)) return -XEN_EINVAL;
    domain.space.set_m2p(static_cast<Mfn>(mfn), static_cast<u32>(update.val));
    return 0;
  }
  if ((offset & 4) != 0) return -XEN_EINVAL;
  return domain.address_space.update(mfn, offset / 8, update.val, command == MMU_PT_UPDATE_PRESERVE_AD);
}

// (list, count, done, foreign domain)
i32 mmu_update(Domain& domain, const HypercallArguments& arguments) {
  const Gva list = arguments[0];
  u32 count = arguments[1];
  const Gva done_at = arguments[2];
  const u32 table_owner = arguments[3] >> 16;
  if (const int error = check_foreign_domain(arguments[3] & 0xffff)) return error;
  if (table_owner != 0)
    if (const int error = check_foreign_domain(table_owner - 1)) return error;
  u32 done = 0;
  if ((count & kPreempted) != 0) {
    count &= ~kPreempted;
    if (done_at != 0) domain.copy_from_guest(done, done_at);
  }
  i32 result = 0;
  u32 i = 0;
  for (; i < count && result == 0; ++i) {
    if (i != 0 && domain.should_pause()) {
      domain.continuation = {list + i * static_cast<u32>(sizeof(xen32::mmu_update)), (count - i) | kPreempted,
                             done_at};
      break;
    }
    xen32::mmu_update update{};
    // 64 bits, so that no list wraps.
    const u64 at = list + u64{i} * sizeof update;
    if (at >= kHypervisorStart || !domain.copy_from_guest(update, static_cast<Gva>(at))) {
      result = -XEN_EFAULT;
      break;
    }
    result = one_update(domain, update);
    if (result != 0) break;
  }
  done += i;
  if (done_at != 0 && !domain.copy_to_guest(done_at, done)) result = result != 0 ? result : -XEN_EFAULT;
  return result;
}

void flush(Domain& domain, Gva va, u32 flags) {
  switch (flags & UVMF_FLUSHTYPE_MASK) {
    case UVMF_TLB_FLUSH:
      domain.address_space.flush();
      break;
    case UVMF_INVLPG:
      domain.cpu.flush_page(va);
      break;
    default:
      break;
  }
}

// (va, entry's halves, flags)
i32 update_va_mapping(Domain& domain, const HypercallArguments& arguments) {
  const Gva va = arguments[0];
  const std::optional<Mfn> l1 = domain.address_space.l1_of(va);
  if (!l1) return -XEN_EINVAL;
  const int error = domain.address_space.update(*l1, l1_index(va), arguments.wide(1), false);
  if (error == 0) flush(domain, va, arguments[3]);
  return error;
}

i32 update_va_mapping_otherdomain(Domain& domain, const HypercallArguments& arguments) {
  if (const int error = check_foreign_domain(arguments[4])) return error;
  return update_va_mapping(domain, arguments);
}

}  // namespace

void register_mmu_update(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_mmu_update, "mmu_update", mmu_update);
  domain.add_hypercall(__HYPERVISOR_update_va_mapping, "update_va_mapping", update_va_mapping);
  domain.add_hypercall(__HYPERVISOR_update_va_mapping_otherdomain, "update_va_mapping_otherdomain",
                       update_va_mapping_otherdomain);
}

}  // namespace ringshift::xen
