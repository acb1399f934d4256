// Hypercalls about descriptor tables.
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

// (frames, number of descriptors)
i32 set_gdt(Domain& domain, const HypercallArguments& arguments) {
  const u32 entries = arguments[1];
  if (entries > FIRST_RESERVED_GDT_ENTRY) return -XEN_EINVAL;
  u32 frames[kReservedGdtPage] = {};
  const u32 pages = (entries + kEntries - 1) / kEntries;
  if (!domain.copy_from_guest(frames, arguments[0], pages * static_cast<u32>(sizeof(u32))))
    return -XEN_EFAULT;
  return domain.descriptors.set_gdt({frames, pages}, entries);
}

// (machine address, descriptor)
i32 update_descriptor(Domain& domain, const HypercallArguments& arguments) {
  return domain.descriptors.update(arguments.wide(0), arguments.wide(2));
}

}  // namespace

void register_descriptor_hypercalls(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_set_gdt, "set_gdt", set_gdt);
  domain.add_hypercall(__HYPERVISOR_update_descriptor, "update_descriptor", update_descriptor);
}

}  // namespace ringshift::xen
