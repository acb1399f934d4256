// HYPERVISOR_grant_table_op (xen/grant_table.h): what each command checks, and what it answers.
#include <array>

#include "paravirt/grants/grant_table.h"

namespace ringshift::xen {

using namespace xen32;

int GrantTable::op(u32 command, Gva arguments, u32 count) {
  switch (command) {
    case GNTTABOP_map_grant_ref:
      return each(arguments, count, &GrantTable::refuse_map);
    case GNTTABOP_unmap_grant_ref:
      return each(arguments, count, &GrantTable::refuse_unmap);
    case GNTTABOP_setup_table:
      return setup_table(arguments, count);
    case GNTTABOP_copy:
      return each(arguments, count, &GrantTable::copy);
    case GNTTABOP_query_size:
      return query_size(arguments, count);
    case GNTTABOP_set_version:
      return set_version(arguments);
    case GNTTABOP_get_version:
      return get_version(arguments);
    default:
      return -XEN_ENOSYS;
  }
}

template <class Operation>
int GrantTable::each(Gva arguments, u32 count, i16 (GrantTable::*handler)(const Operation&)) {
  if (count > kMaxOperations) return -XEN_E2BIG;
  for (u32 i = 0; i < count; ++i) {
    const Gva at = arguments + i * u32{sizeof(Operation)};
    Operation operation;
    if (!memory_.copy_from_guest(operation, at)) return -XEN_EFAULT;
    operation.status = (this->*handler)(operation);
    if (!memory_.copy_to_guest(at, operation)) return -XEN_EFAULT;
  }
  return 0;
}

i16 GrantTable::status_of_domain(u16 domain) const {
  if (is_self(domain)) return GNTST_okay;
  return domain == kBackendDomain ? GNTST_permission_denied : GNTST_bad_domain;
}

// Domain 0 grants nothing, and a domain needs no grant for what is its own.
i16 GrantTable::refuse_map(const gnttab_map_grant_ref& map) {
  const bool known = is_self(map.dom) || map.dom == kBackendDomain;
  return known ? GNTST_bad_gntref : GNTST_bad_domain;
}

i16 GrantTable::refuse_unmap(const gnttab_unmap_grant_ref&) { return GNTST_bad_handle; }

int GrantTable::set_version(Gva argument) {
  gnttab_set_version version;
  if (!memory_.copy_from_guest(version, argument)) return -XEN_EFAULT;
  const u32 asked = version.version;
  version.version = 1;  // what it stays at
  if (!memory_.copy_to_guest(argument, version)) return -XEN_EFAULT;
  if (asked == 1) return 0;
  return asked == 2 ? -XEN_ENOSYS : -XEN_EINVAL;
}

int GrantTable::get_version(Gva argument) {
  gnttab_get_version version;
  if (!memory_.copy_from_guest(version, argument)) return -XEN_EFAULT;
  if (!is_self(version.dom)) return version.dom == kBackendDomain ? -XEN_EPERM : -XEN_ESRCH;
  version.version = 1;
  return memory_.copy_to_guest(argument, version) ? 0 : -XEN_EFAULT;
}

int GrantTable::setup_table(Gva argument, u32 count) {
  if (count != 1) return -XEN_EINVAL;
  gnttab_setup_table setup;
  if (!memory_.copy_from_guest(setup, argument)) return -XEN_EFAULT;
  setup.status = status_of_domain(setup.dom);
  if (setup.status == GNTST_okay && setup.nr_frames > frames_.size()) setup.status = GNTST_general_error;
  if (setup.status == GNTST_okay) {
    active_frames_ = std::max(active_frames_, setup.nr_frames);
    for (u32 i = 0; i < setup.nr_frames; ++i)
      if (!memory_.copy_to_guest(setup.frame_list + i * u32{sizeof(Mfn)}, frames_[i]))
        setup.status = GNTST_bad_virt_addr;
  }
  return memory_.copy_to_guest(argument, setup) ? 0 : -XEN_EFAULT;
}

int GrantTable::query_size(Gva argument, u32 count) {
  if (count != 1) return -XEN_EINVAL;
  gnttab_query_size query;
  if (!memory_.copy_from_guest(query, argument)) return -XEN_EFAULT;
  query.status = status_of_domain(query.dom);
  if (query.status == GNTST_okay) {
    query.nr_frames = active_frames_;
    query.max_nr_frames = static_cast<u32>(frames_.size());
  }
  return memory_.copy_to_guest(argument, query) ? 0 : -XEN_EFAULT;
}

i16 GrantTable::frame_of_copy(const gnttab_copy::gnttab_copy_ptr& side, bool granted, bool writable,
                              Mfn& frame) {
  if (!granted) {
    frame = side.u.gmfn;
    return side.domid == DOMID_SELF ? GNTST_okay : GNTST_permission_denied;
  }
  if (!is_self(side.domid)) return side.domid == kBackendDomain ? GNTST_bad_gntref : GNTST_bad_domain;
  const std::optional<Mfn> found = permitted(side.u.ref, domain_, writable);
  if (!found) return GNTST_bad_gntref;
  frame = *found;
  return GNTST_okay;
}

i16 GrantTable::copy(const gnttab_copy& copy) {
  if (u32{copy.source.offset} + copy.len > kPageSize || u32{copy.dest.offset} + copy.len > kPageSize)
    return GNTST_bad_copy_arg;
  Mfn from = 0;
  Mfn to = 0;
  i16 status = frame_of_copy(copy.source, (copy.flags & GNTCOPY_source_gref) != 0, false, from);
  if (status == GNTST_okay)
    status = frame_of_copy(copy.dest, (copy.flags & GNTCOPY_dest_gref) != 0, true, to);
  if (status != GNTST_okay) return status;
  std::array<u8, kPageSize> bytes;
  const bool good = memory_.read_frame(from, copy.source.offset, bytes.data(), copy.len) &&
                    memory_.write_frame(to, copy.dest.offset, bytes.data(), copy.len);
  return good ? GNTST_okay : GNTST_bad_page;
}

}  // namespace ringshift::xen
