// HYPERVISOR_memory_op: how much memory there is, giving frames back and getting them again.
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

struct Extents {
  xen32::xen_memory_reservation request{};

  // Where the frame number of an index stands; an address that is nobody's where it is out of reach.
  Gva at(u32 index) const {
    const u64 address = request.extent_start + u64{index} * sizeof(u32);
    return address < kHypervisorStart ? static_cast<Gva>(address) : kHypervisorStart;
  }
};

bool self(u32 domid) { return domid == DOMID_SELF || domid == kDomainId; }

// Frames that nobody has.
bool find_free(const Domain& domain, Mfn& from) {
  for (; from < domain.frames.size(); ++from)
    if (domain.frames.at(from).owner == FrameOwner::nobody) return true;
  return false;
}

// Single frames alone: nothing here needs memory that is contiguous.
i32 get_frames(Domain& domain, Gva argument, bool populate) {
  Extents list;
  if (!domain.copy_from_guest(list.request, argument)) return -XEN_EFAULT;
  if (!self(list.request.domid)) return 0;  // none done
  if (list.request.extent_order != 0) return 0;
  Mfn free = 0;
  for (u32 i = 0; i < list.request.nr_extents; ++i) {
    u32 pfn = 0;
    if (!find_free(domain, free)) return static_cast<i32>(i);
    if (populate && !domain.copy_from_guest(pfn, list.at(i))) return static_cast<i32>(i);
    // The list may be left out when frames are wanted, not where they are to be told.
    if ((populate || list.request.extent_start != 0) && !domain.copy_to_guest(list.at(i), free))
      return static_cast<i32>(i);
    domain.memory.clear(free);
    domain.frames.give(free);
    domain.space.set_m2p(free, populate ? pfn : kInvalidM2p);
  }
  return static_cast<i32>(list.request.nr_extents);
}

i32 give_frames_back(Domain& domain, Gva argument) {
  Extents list;
  if (!domain.copy_from_guest(list.request, argument)) return -XEN_EFAULT;
  if (!self(list.request.domid)) return 0;  // none done
  if (list.request.extent_order != 0) return 0;
  u32 i = 0;
  for (; i < list.request.nr_extents; ++i) {
    u32 mfn = 0;
    if (!domain.copy_from_guest(mfn, list.at(i))) break;
    if (!domain.frames.is_domains(mfn) || !domain.frames.take(mfn)) break;
    domain.space.set_m2p(mfn, kInvalidM2p);
    domain.memory.map().remove_attribute(u64{mfn} << kPageShift, kAttrPageTable);
  }
  // What the guest has not flushed must not reach frames that it has no more.
  if (i != 0) domain.address_space.flush();
  return static_cast<i32>(i);
}

i32 count_frames(const Domain& domain) {
  i32 count = 0;
  for (Mfn mfn = 0; mfn < domain.frames.size(); ++mfn)
    if (domain.frames.is_domains(mfn) && !domain.frames.at(mfn).shared) ++count;
  return count;
}

// How much memory the domain that the argument names has; there is this one.
i32 reservation(Domain& domain, Gva at, i32 frames) {
  xen32::xen_memory_domain request{};
  if (!domain.copy_from_guest(request, at)) return -XEN_EFAULT;
  const int error = check_foreign_domain(request.domid);
  return error != 0 ? error : frames;
}

i32 machphys_mapping(Domain& domain, Gva at) {
  const xen32::xen_machphys_mapping mapping{kHypervisorStart, kM2pEnd, domain.frames.size() - 1};
  return domain.copy_to_guest(at, mapping) ? 0 : -XEN_EFAULT;
}

// (command, argument)
i32 memory_op(Domain& domain, const HypercallArguments& arguments) {
  constexpr u32 kCommandMask = 0x3f;  // what is above is where a long call goes on
  switch (arguments[0] & kCommandMask) {
    case XENMEM_increase_reservation:
      return get_frames(domain, arguments[1], false);
    case XENMEM_populate_physmap:
      return get_frames(domain, arguments[1], true);
    case XENMEM_decrease_reservation:
      return give_frames_back(domain, arguments[1]);
    case XENMEM_maximum_ram_page:
      return static_cast<i32>(domain.frames.size() - 1);
    case XENMEM_current_reservation:
      return reservation(domain, arguments[1], count_frames(domain));
    case XENMEM_maximum_reservation:
      return reservation(domain, arguments[1], static_cast<i32>(domain.domain_frames));
    case XENMEM_maximum_gpfn:
      return reservation(domain, arguments[1], static_cast<i32>(domain.domain_frames - 1));
    case XENMEM_machphys_mapping:
      return machphys_mapping(domain, arguments[1]);
    default:
      return -XEN_ENOSYS;
  }
}

}  // namespace

void register_memory_hypercalls(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_memory_op, "memory_op", memory_op);
}

}  // namespace ringshift::xen
