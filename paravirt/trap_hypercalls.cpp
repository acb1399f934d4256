// Hypercalls about traps: trap table, kernel stack, callbacks, iret, TS, debug registers.
#include "paravirt/descriptor_check.h"
#include "paravirt/domain.h"

namespace ringshift::xen {

namespace {

// An array that ends with an entry without an address; null: no traps at all.
i32 set_trap_table(Domain& domain, const HypercallArguments& arguments) {
  if (arguments[0] == 0) {
    domain.traps.clear_gates();
    return 0;
  }
  using Info = xen32::trap_info_x86_32;
  // There are 256 vectors; a list without an end is one of a guest that means no good.
  constexpr u32 kMost = 4096;
  for (u32 i = 0; i < kMost; ++i) {
    Info trap{};
    const u64 at = arguments[0] + u64{i} * sizeof(Info);
    if (at >= kHypervisorStart || !domain.copy_from_guest(trap, static_cast<Gva>(at))) return -XEN_EFAULT;
    if (trap.address == 0) return 0;
    domain.traps.set_gate(trap.vector, {.cs = kernel_selector(trap.cs),
                                        .eip = trap.address,
                                        .masks = TI_GET_IF(&trap) != 0,
                                        .dpl = static_cast<u8>(TI_GET_DPL(&trap))});
  }
  return -XEN_EINVAL;
}

i32 stack_switch(Domain& domain, const HypercallArguments& arguments) {
  domain.traps.set_kernel_stack(arguments[0], arguments[1]);
  return 0;
}

Entry callback(u32 cs, u32 eip, bool masks) {
  return {.cs = kernel_selector(static_cast<u16>(cs)), .eip = eip, .masks = masks};
}

// (event's CS and EIP, failsafe's CS and EIP)
i32 set_callbacks(Domain& domain, const HypercallArguments& arguments) {
  domain.traps.event_callback = callback(arguments[0], arguments[1], true);
  domain.traps.failsafe_callback = callback(arguments[2], arguments[3], false);
  return 0;
}

i32 register_callback(Domain& domain, Gva at) {
  xen32::callback_register request{};
  if (!domain.copy_from_guest(request, at)) return -XEN_EFAULT;
  switch (request.type) {
    case CALLBACKTYPE_event:
      domain.traps.event_callback = callback(request.address.cs, request.address.eip, true);
      return 0;
    case CALLBACKTYPE_failsafe:
      domain.traps.failsafe_callback =
          callback(request.address.cs, request.address.eip, (request.flags & CALLBACKF_mask_events) != 0);
      return 0;
    default:
      // SYSENTER and SYSCALL are not shown by CPUID; there are no NMIs.
      return -XEN_ENOSYS;
  }
}

i32 callback_op(Domain& domain, const HypercallArguments& arguments) {
  if (arguments[0] == CALLBACKOP_register) return register_callback(domain, arguments[1]);
  if (arguments[0] != CALLBACKOP_unregister) return -XEN_ENOSYS;
  xen32::callback_unregister request{};
  if (!domain.copy_from_guest(request, arguments[1])) return -XEN_EFAULT;
  // The event and failsafe callbacks can only be replaced.
  return request.type == CALLBACKTYPE_event || request.type == CALLBACKTYPE_failsafe ? -XEN_EINVAL
                                                                                     : -XEN_ENOSYS;
}

i32 iret(Domain& domain, const HypercallArguments&) {
  domain.traps.iret();
  return 0;  // the frame had EAX
}

i32 fpu_taskswitch(Domain& domain, const HypercallArguments& arguments) {
  VcpuState& state = domain.cpu.state;
  state.cr0 = (state.cr0 & ~u64{kCr0Ts}) | (arguments[0] != 0 ? kCr0Ts : 0);
  return 0;
}

i32 set_debugreg(Domain& domain, const HypercallArguments& arguments) {
  return set_debug_register(domain.cpu, arguments[0], arguments[1]) ? 0 : -XEN_EPERM;
}

// Its values and errors can't be told apart: the interface is so.
i32 get_debugreg(Domain& domain, const HypercallArguments& arguments) {
  const u32 number = arguments[0];
  if (number > 7 || number == 4 || number == 5) return -XEN_EINVAL;
  return static_cast<i32>(domain.cpu.state.dr[number]);
}

}  // namespace

void register_trap_hypercalls(Domain& domain) {
  domain.add_hypercall(__HYPERVISOR_set_trap_table, "set_trap_table", set_trap_table);
  domain.add_hypercall(__HYPERVISOR_stack_switch, "stack_switch", stack_switch);
  domain.add_hypercall(__HYPERVISOR_set_callbacks, "set_callbacks", set_callbacks);
  domain.add_hypercall(__HYPERVISOR_callback_op, "callback_op", callback_op);
  domain.add_hypercall(__HYPERVISOR_iret, "iret", iret);
  domain.add_hypercall(__HYPERVISOR_fpu_taskswitch, "fpu_taskswitch", fpu_taskswitch);
  domain.add_hypercall(__HYPERVISOR_set_debugreg, "set_debugreg", set_debugreg);
  domain.add_hypercall(__HYPERVISOR_get_debugreg, "get_debugreg", get_debugreg);
}

}  // namespace ringshift::xen
