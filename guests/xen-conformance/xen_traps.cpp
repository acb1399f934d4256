// Guest: the trap table, the frames that exceptions leave, CPL 3, and the way back by HYPERVISOR_iret.
#include "xen-conformance/forge.h"

SNIPPET(divide, "xorl %ecx, %ecx", "divl %ecx", "");
SNIPPET(undefined, "", "ud2", "");
SNIPPET(breakpoint, "", "int3", "");
SNIPPET(halt, "", "hlt", "");
SNIPPET(read_port, "", "inb $0x21, %al", "");
SNIPPET(load_tables, "", "lgdt (%esp)", "");
SNIPPET(bad_selector, "movl $0x1230, %eax", "movl %eax, %fs", "");
SNIPPET(reserved_interrupt, "", "int $0x20", "");
SNIPPET(free_interrupt, "", "int $0x90", "");
SNIPPET(divide_gate, "", "int $0", "");
SNIPPET(overflow, "movb $127, %al\n addb $1, %al", "into", "");
SNIPPET(store_eax, "", "movl %eax, (%eax)", "");
SNIPPET(call_kernel, "movl $0x1234, %eax\n movl $0x5678, %ebx", "int $0x80", "");
SNIPPET(hypercall_at_3, "movl $17, %eax\n xorl %ebx, %ebx", "int $0x82", "int $0x80");
SNIPPET(user_cli, "", "cli", "");
SNIPPET(user_store, "movl $0x100000, %eax", "movl %eax, (%eax)", "");
SNIPPET(user_m2p, "movl $0xf5800000, %eax", "movl (%eax), %eax", "int $0x80");
SNIPPET(user_hole, "movl $0xfc000000, %eax", "movl (%eax), %eax", "int $0x80");
SNIPPET(user_sysenter, "", "sysenter", "");
SNIPPET(user_kernel_segment, "movl $0xe021, %eax", "movl %eax, %ds", "");
SNIPPET(set_sysenter_code, "movl $0x174, %ecx\n movl $0xe018, %eax\n xorl %edx, %edx", "wrmsr", "");
SNIPPET(set_sysenter_eip, "movl $0x176, %ecx\n movl $0x100000, %eax\n xorl %edx, %edx", "wrmsr", "");
SNIPPET(set_efer, "movl $0xc0000080, %ecx\n movl $0x1fff, %eax\n xorl %edx, %edx", "wrmsr", "");
SNIPPET(write_root, "", "movl %eax, %cr3", "");
SNIPPET(write_cr4, "xorl %eax, %eax", "movl %eax, %cr4", "");
SNIPPET(write_cr0, "movl $0x11, %eax", "movl %eax, %cr0", "");
SNIPPET(load_task, "movl $8, %eax", "ltr %ax", "");
SNIPPET(load_idt, "", "lidt (%esp)", "");
SNIPPET(write_back, "", "wbinvd", "");
SNIPPET(x87, "", "fninit", "");
SNIPPET(single_step, "pushfl\n orl $0x100, (%esp)\n popfl", "nop", "nop");

extern "C" char xen_call_entry[], xen_event_entry[];

namespace {

void check_kernel_exceptions() {
  check_caught(run(divide), 0, 0, divide_at, "#DE in the kernel");
  check_caught(run(undefined), 6, 0, undefined_at, "#UD");
  check_caught(run(breakpoint), 3, 0, breakpoint_next, "#BP");
  check_caught(run(overflow), 4, 0, overflow_next, "#OF");
  check_caught(run(halt), 13, 0, halt_at, "HLT is #GP in ring 1");
  check_caught(run(read_port), 13, 0, read_port_at, "IN is #GP without a port of one's own");
  check_caught(run(load_tables), 13, 0, load_tables_at, "LGDT is #GP");
  check_caught(run(bad_selector), 13, 0x1230, bad_selector_at, "#GP of a bad selector");
  check_caught(run(reserved_interrupt), 13, 0x20 * 8 + 2, reserved_interrupt_at,
               "INT 20h without a gate is #GP");
  check_caught(run(free_interrupt), 13, 0x90 * 8 + 2, free_interrupt_at, "INT 90h without a gate is #GP");
  check_page_fault(run(store_eax, 0x90000000), 2, store_eax_at, 0x90000000, "#PF of a write, nothing there");
  const Caught fault = run(divide);
  check_equal(fault.cs, FLAT_KERNEL_CS, "the saved CS is the kernel's");
  check_equal(fault.eflags & 0x3000, 0, "the saved EFLAGS have IOPL 0");
  const Caught step = run(single_step);
  check(step.any && step.vector == 1, "#DB after one instruction");
}

// Privileged instructions that a kernel of ring 1 tries: a fault, or without effect.
void check_privileged() {
  constexpr u32 kFault = 13;
  check_caught(run(load_task), kFault, 0, load_task_at, "LTR is #GP");
  check_caught(run(load_idt), kFault, 0, load_idt_at, "LIDT is #GP");
  run(set_sysenter_code);
  run(set_sysenter_eip);
  const Caught kernel = run(user_sysenter);
  check(kernel.any && (kernel.vector == kFault || kernel.vector == 6),
        "WRMSR gives SYSENTER no way to ring 0");
  run(set_efer);
  run(write_cr0);
  run(write_cr4);
  run(write_back);
  check_page_fault(run(store_eax, xen::address(xen::boot_root())), 3, store_eax_at,
                   xen::address(xen::boot_root()),
                   "after writes to CR0 and CR4 a page table is read-only still");
  const Caught root = run(write_root, foreign_frame() * xen::kPage);
  check(root.any && root.vector == kFault, "no foreign frame becomes the root by MOV CR3");
  const Caught forged = run(write_root, xen::mfn_of(xen::take_page()) * xen::kPage);
  check(forged.any && forged.vector == kFault, "nor a page that is no root");
}

// EFLAGS.IF of the frame is the opposite of the mask, as it was; the entry masks.
void check_mask() {
  xen::mask_events();
  check_equal(run(divide).eflags & 0x200, 0, "with events masked, IF is clear in the frame");
  xen::unmask_events();
  check_equal(run(divide).eflags & 0x200, 0x200, "with events unmasked, IF is set in the frame");
  check_equal(xen::vcpu().evtchn_upcall_mask, 0, "and they are so again");
  static u8 within;
  set_handler([](Frame& frame) {
    within = xen::vcpu().evtchn_upcall_mask;
    frame.eip = xen::address(divide_next);
    return true;
  });
  check_none(run(divide), "a handler may go on behind the instruction");
  set_handler(nullptr);
  check_equal(within, 1, "events are masked in the handler");
  check_equal(xen::vcpu().evtchn_upcall_mask, 0, "HYPERVISOR_iret unmasks them by IF");
  set_handler([](Frame& frame) {
    frame.eip = xen::address(divide_next);
    frame.eflags &= ~0x200u;
    return true;
  });
  check_none(run(divide), "a handler may clear IF");
  set_handler(nullptr);
  check_equal(xen::vcpu().evtchn_upcall_mask, 1, "HYPERVISOR_iret masks them by IF");
}

void check_programs() {
  const Caught call = run_user(call_kernel, 0x202);
  check_caught(call, 0x80, 0, call_kernel_next, "INT 80h of a program");
  check_equal(call.frame.eax, 0x1234, "with its EAX");
  check_equal(call.frame.ebx, 0x5678, "and EBX");
  check_equal(call.cs, FLAT_USER_CS, "and CS");
  check_equal(call.ss, FLAT_USER_SS, "and SS");
  check_equal(call.esp, user_stack_top(), "and ESP");
  check_equal(call.eflags & 0x200, 0x200, "and IF, since events were unmasked");
  check_caught(run_user(divide), 0, 0, divide_at, "#DE of a program");
  check_caught(run_user(undefined), 6, 0, undefined_at, "#UD of a program");
  check_caught(run_user(breakpoint), 3, 0, breakpoint_next, "#BP of a program");
  check_caught(run_user(halt), 13, 0, halt_at, "HLT of a program is #GP");
  check_caught(run_user(user_cli), 13, 0, user_cli_at, "CLI of a program is #GP");
  check_caught(run_user(divide_gate), 13, 2, divide_gate_at, "INT 0 of a program is #GP");
  check_page_fault(run_user(user_store), 7, user_store_at, 0x100000,
                   "a program can't write to its read-only page");
  const Caught hole = run_user(user_hole);
  check(hole.any && hole.vector == 14, "nor read in Xen's hole");
  check(hole.frame.eip == xen::address(user_hole_at), "where the fault is the load's");
  const Caught m2p = run_user(user_m2p);
  check(m2p.any && (m2p.vector == 14 || m2p.vector == 0x80), "M2P is at most readable to it");
  check_caught(run_user(user_kernel_segment), 13, 0xe020, user_kernel_segment_at,
               "nor load the kernel's segment");
  const Caught direct = run_user(hypercall_at_3);
  check_caught(direct, 13, 0x82 * 8 + 2, hypercall_at_3_at, "INT 82h of a program is #GP");
  const Caught enter = run_user(user_sysenter);
  check(enter.any && (enter.vector == 13 || enter.vector == 6), "SYSENTER of a program leads nowhere");
}

void check_table() {
  trap_info_t traps[] = {{0x90, 4 | 1, FLAT_KERNEL_CS, 0}, {}};
  traps[0].address = xen::address(xen_call_entry);
  check_success(xen::set_trap_table(traps), "a gate for INT 90h");
  check_caught(run(free_interrupt), 0x80, 0, free_interrupt_next, "the kernel may use it");
  const Caught user = run_user(free_interrupt);
  check_caught(user, 13, 0x90 * 8 + 2, free_interrupt_at, "a program may not");
  traps[0].flags = 4 | 3;
  xen::set_trap_table(traps);
  check_caught(run_user(free_interrupt), 0x80, 0, free_interrupt_next, "with level 3 it may");
  callback_register_t callback{};
  callback.type = 99;
  check_error(xen::callback_op(CALLBACKOP_register, &callback), XEN_ENOSYS, "an unknown callback");
  callback.type = CALLBACKTYPE_event;
  callback.address = {FLAT_KERNEL_CS, xen::address(xen_event_entry)};
  check_success(xen::callback_op(CALLBACKOP_register, &callback), "the event callback");
  callback_unregister_t gone{CALLBACKTYPE_event, 0};
  check_error(xen::callback_op(CALLBACKOP_unregister, &gone), XEN_EINVAL, "it can't be unregistered");
}

// HYPERVISOR_fpu_taskswitch is CR0.TS: the next x87 instruction traps, once, for Xen clears it on the way.
void check_task_switched() {
  xen::fpu_taskswitch(false);
  check_none(run(x87), "x87 without TS");
  check_success(xen::fpu_taskswitch(true), "fpu_taskswitch");
  check_caught(run(x87), 7, 0, x87_at, "x87 with TS is #NM");
  check_none(run(x87), "TS is clear after that");
}

}  // namespace

void guest_main() {
  check_kernel_exceptions();
  check_privileged();
  check_mask();
  check_programs();
  check_table();
  check_task_switched();
}
