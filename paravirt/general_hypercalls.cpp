// Hypercalls of general use: xen_version, console_io, vm_assist, multicall, physdev_op.
#include <algorithm>

#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

// A text in a field of `size` bytes, with zeros behind it.
i32 copy_text(Domain& domain, Gva to, std::string_view text, u32 size) {
  std::string field(text.substr(0, size - 1));
  field.resize(size);
  return domain.copy_to_guest(to, field.data(), size) ? 0 : -XEN_EFAULT;
}

i32 get_features(Domain& domain, Gva at) {
  xen32::xen_feature_info info{};
  if (!domain.copy_from_guest(info, at)) return -XEN_EFAULT;
  if (info.submap_idx >= XENFEAT_NR_SUBMAPS) return -XEN_EINVAL;
  info.submap = 1u << XENFEAT_pae_pgdir_above_4gb | 1u << XENFEAT_mmu_pt_update_preserve_ad |
                1u << XENFEAT_gnttab_map_avail_bits;
  return domain.copy_to_guest(at, info) ? 0 : -XEN_EFAULT;
}

// (command, buffer)
i32 xen_version(Domain& domain, const HypercallArguments& arguments) {
  const Gva buffer = arguments[1];
  switch (arguments[0]) {
    case XENVER_version:
      return kXenVersion;
    case XENVER_extraversion:
      return copy_text(domain, buffer, ".0-ringshift", sizeof(xen32::xen_extraversion_t));
    case XENVER_compile_info: {
      const xen32::xen_compile_info none{};
      return domain.copy_to_guest(buffer, none) ? 0 : -XEN_EFAULT;
    }
    case XENVER_capabilities:
      return copy_text(domain, buffer, "xen-3.0-x86_32p ", sizeof(xen32::xen_capabilities_info_t));
    case XENVER_changeset:
      return copy_text(domain, buffer, "unavailable", sizeof(xen32::xen_changeset_info_t));
    case XENVER_platform_parameters: {
      const u32 virt_start = kHypervisorStart;
      return domain.copy_to_guest(buffer, virt_start) ? 0 : -XEN_EFAULT;
    }
    case XENVER_get_features:
      return get_features(domain, buffer);
    case XENVER_pagesize:
      return buffer == 0 ? static_cast<i32>(kPageSize) : -XEN_EINVAL;
    case XENVER_guest_handle: {
      const xen32::xen_domain_handle_t handle{};
      return domain.copy_to_guest(buffer, handle) ? 0 : -XEN_EFAULT;
    }
    case XENVER_commandline:
      return copy_text(domain, buffer, domain.command_line, sizeof(xen32::xen_commandline_t));
    default:
      return -XEN_ENOSYS;
  }
}

// (command, count, buffer)
i32 console_io(Domain& domain, const HypercallArguments& arguments) {
  if (arguments[0] == CONSOLEIO_read) return 0;  // nothing is typed here: there is the console ring
  if (arguments[0] != CONSOLEIO_write) return -XEN_ENOSYS;
  u8 piece[256];
  Gva from = arguments[2];
  for (u32 left = arguments[1]; left != 0;) {
    if (left != arguments[1] && domain.should_pause()) {
      domain.continuation = {arguments[0], left, from};
      return 0;
    }
    const u32 length = std::min<u32>(left, sizeof piece);
    if (!domain.copy_from_guest(piece, from, length)) return -XEN_EFAULT;
    domain.console.write({piece, length});
    from += length;
    left -= length;
  }
  return 0;
}

// (command, type)
i32 vm_assist(Domain& domain, const HypercallArguments& arguments) {
  if (arguments[0] != VMASST_CMD_enable && arguments[0] != VMASST_CMD_disable) return -XEN_ENOSYS;
  const bool enable = arguments[0] == VMASST_CMD_enable;
  switch (arguments[1]) {
    case VMASST_TYPE_4gb_segments:  // segments reach 4 GiB in any case
    case VMASST_TYPE_4gb_segments_notify:
    case VMASST_TYPE_pae_extended_cr3:
      return 0;
    case VMASST_TYPE_architectural_iopl:
      domain.traps.architectural_iopl = enable;
      return 0;
    default:
      return -XEN_EINVAL;
  }
}

// Calls of a list, each with its result in its entry; one that long lists of are made of may pause between.
i32 multicall(Domain& domain, const HypercallArguments& arguments) {
  using CallEntry = xen32::multicall_entry_32;
  if (domain.in_multicall) return -XEN_EINVAL;
  const Gva list = arguments[0];
  const u32 count = arguments[1];
  for (u32 i = 0; i < count; ++i) {
    if (i != 0 && domain.should_pause()) {
      domain.continuation = {list + i * static_cast<u32>(sizeof(CallEntry)), count - i, arguments[2]};
      return 0;
    }
    CallEntry call{};
    const u64 at = list + u64{i} * sizeof call;
    if (at >= kHypervisorStart || !domain.copy_from_guest(call, static_cast<Gva>(at))) return -XEN_EFAULT;
    HypercallArguments inner{};
    std::copy(std::begin(call.args), std::end(call.args), inner.word);
    domain.in_multicall = true;
    const i32 result = call.op == __HYPERVISOR_iret ? -XEN_EINVAL : domain.hypercall(call.op, inner);
    domain.in_multicall = false;
    if (domain.continuation) {
      const Domain::Continuation rest = *domain.continuation;
      domain.continuation = {static_cast<u32>(at), count - i, arguments[2]};
      return domain.copy_to_guest(static_cast<Gva>(at + offsetof(CallEntry, args)), rest) ? 0 : -XEN_EFAULT;
    }
    const Gva result_at = static_cast<Gva>(at + offsetof(CallEntry, result));
    if (!domain.copy_to_guest(result_at, static_cast<u32>(result))) return -XEN_EFAULT;
  }
  return 0;
}

// The domain has no devices; its I/O privilege level is kept, so that kernels find what they set.
i32 physdev_op(Domain& domain, const HypercallArguments& arguments) {
  switch (arguments[0]) {
    case PHYSDEVOP_set_iopl: {
      xen32::physdev_set_iopl request{};
      if (!domain.copy_from_guest(request, arguments[1])) return -XEN_EFAULT;
      if (request.iopl > 3) return -XEN_EINVAL;
      domain.traps.iopl = static_cast<u8>(request.iopl);
      return 0;
    }
    case PHYSDEVOP_set_iobitmap:
      return 0;  // it would open ports that aren't there
    default:
      return -XEN_ENOSYS;
  }
}

i32 refuse(Domain&, const HypercallArguments&) { return -XEN_EPERM; }

}  // namespace

void register_general_hypercalls(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_xen_version, "xen_version", xen_version);
  domain.add_hypercall(__HYPERVISOR_console_io, "console_io", console_io);
  domain.add_hypercall(__HYPERVISOR_vm_assist, "vm_assist", vm_assist);
  domain.add_hypercall(__HYPERVISOR_multicall, "multicall", multicall);
  domain.add_hypercall(__HYPERVISOR_physdev_op, "physdev_op", physdev_op);
  // Of privileged domains.
  domain.add_hypercall(__HYPERVISOR_platform_op, "platform_op", refuse);
  domain.add_hypercall(__HYPERVISOR_sysctl, "sysctl", refuse);
  domain.add_hypercall(__HYPERVISOR_domctl, "domctl", refuse);
}

}  // namespace ringshift::xen
