// Hypercalls: a call into the hypercall page (arch-x86/xen-x86_32.h), which clobbers the arguments'
// registers.
#pragma once

#include "runtime/types.h"
#include "xen-runtime/headers.h"

extern "C" char hypercall_page[];

namespace xen {

template <u32 number>
inline int call(u32 a) {
  int result;
  asm volatile("call hypercall_page + %c2" : "=a"(result), "+b"(a) : "i"(number * 32) : "memory");
  return result;
}
template <u32 number>
inline int call(u32 a, u32 b) {
  int result;
  asm volatile("call hypercall_page + %c3" : "=a"(result), "+b"(a), "+c"(b) : "i"(number * 32) : "memory");
  return result;
}
template <u32 number>
inline int call(u32 a, u32 b, u32 c) {
  int result;
  asm volatile("call hypercall_page + %c4"
               : "=a"(result), "+b"(a), "+c"(b), "+d"(c)
               : "i"(number * 32)
               : "memory");
  return result;
}
template <u32 number>
inline int call(u32 a, u32 b, u32 c, u32 d) {
  int result;
  asm volatile("call hypercall_page + %c5"
               : "=a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d)
               : "i"(number * 32)
               : "memory");
  return result;
}
template <u32 number>
inline int call(u32 a, u32 b, u32 c, u32 d, u32 e) {
  int result;
  asm volatile("call hypercall_page + %c6"
               : "=a"(result), "+b"(a), "+c"(b), "+d"(c), "+S"(d), "+D"(e)
               : "i"(number * 32)
               : "memory");
  return result;
}

inline u32 address(const volatile void* p) { return reinterpret_cast<u32>(p); }

inline int set_trap_table(const trap_info_t* traps) {
  return call<__HYPERVISOR_set_trap_table>(address(traps));
}
inline int mmu_update(const mmu_update_t* requests, u32 count, u32* done = nullptr, u32 domain = DOMID_SELF) {
  return call<__HYPERVISOR_mmu_update>(address(requests), count, address(done), domain);
}
inline int mmuext_op(const mmuext_op_t* operations, u32 count, u32* done = nullptr, u32 domain = DOMID_SELF) {
  return call<__HYPERVISOR_mmuext_op>(address(operations), count, address(done), domain);
}
inline int mmuext(u32 command, u32 argument, u32 second = 0) {
  mmuext_op_t operation;
  operation.cmd = command;
  operation.arg1.linear_addr = argument;
  operation.arg2.nr_ents = second;
  return mmuext_op(&operation, 1);
}
inline int update_va_mapping(u32 linear, u64 entry, u32 flags) {
  return call<__HYPERVISOR_update_va_mapping>(linear, static_cast<u32>(entry), static_cast<u32>(entry >> 32),
                                              flags);
}
inline int multicall(multicall_entry_t* calls, u32 count) {
  return call<__HYPERVISOR_multicall>(address(calls), count);
}
inline int set_gdt(const xen_pfn_t* frames, u32 entries) {
  return call<__HYPERVISOR_set_gdt>(address(frames), entries);
}
inline int update_descriptor(u64 machine, u64 descriptor) {
  return call<__HYPERVISOR_update_descriptor>(static_cast<u32>(machine), static_cast<u32>(machine >> 32),
                                              static_cast<u32>(descriptor),
                                              static_cast<u32>(descriptor >> 32));
}
inline int stack_switch(u32 ss, u32 esp) { return call<__HYPERVISOR_stack_switch>(ss, esp); }
inline int set_callbacks(u32 event, u32 failsafe) {
  return call<__HYPERVISOR_set_callbacks>(FLAT_KERNEL_CS, event, FLAT_KERNEL_CS, failsafe);
}
inline int callback_op(u32 command, const void* argument) {
  return call<__HYPERVISOR_callback_op>(command, address(argument));
}
inline int fpu_taskswitch(bool set) { return call<__HYPERVISOR_fpu_taskswitch>(set ? 1 : 0); }
inline int set_timer_op(u64 ns) {
  return call<__HYPERVISOR_set_timer_op>(static_cast<u32>(ns), static_cast<u32>(ns >> 32));
}
inline int event_channel_op(u32 command, void* argument) {
  return call<__HYPERVISOR_event_channel_op>(command, address(argument));
}
inline int grant_table_op(u32 command, void* arguments, u32 count) {
  return call<__HYPERVISOR_grant_table_op>(command, address(arguments), count);
}
inline int memory_op(u32 command, void* argument) {
  return call<__HYPERVISOR_memory_op>(command, address(argument));
}
inline int console_io(u32 command, u32 count, const char* text) {
  return call<__HYPERVISOR_console_io>(command, count, address(text));
}
inline int sched_op(u32 command, const void* argument) {
  return call<__HYPERVISOR_sched_op>(command, address(argument));
}
inline int vcpu_op(u32 command, u32 vcpu, const void* argument) {
  return call<__HYPERVISOR_vcpu_op>(command, vcpu, address(argument));
}
inline int xen_version(u32 command, void* argument = nullptr) {
  return call<__HYPERVISOR_xen_version>(command, address(argument));
}
inline int vm_assist(u32 command, u32 type) { return call<__HYPERVISOR_vm_assist>(command, type); }

}  // namespace xen
