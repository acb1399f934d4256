# Entries of the trap table and of the callbacks, and the ways back and to CPL 3 by HYPERVISOR_iret.
#define __ASSEMBLY__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>

#include "runtime/entry.inc"

        .text
        .balign 16
        .globl  xen_trap_entries, xen_call_entry, xen_event_entry, xen_failsafe_entry
xen_trap_entries:
        ENTRY_STUBS 32, common_entry
xen_call_entry:
        pushl   $0
        pushl   $0x80
common_entry:
        CALL_WITH_FRAME xen_exception, FLAT_KERNEL_DS
        jmp     restore

# The event callback: EIP, CS (its upper half the upcall mask as it was), EFLAGS [, ESP, SS]; events are masked.
        .balign 16
xen_event_entry:
        pushl   $0
        pushl   $0x100
        CALL_WITH_FRAME xen_upcall, FLAT_KERNEL_DS
restore:
        RESTORE_FRAME
        # The stub pushes EAX; the hypercall pops it, EIP, CS, EFLAGS and, to CPL 3, ESP and SS. EFLAGS.IF says
        # whether events are unmasked.
        jmp     hypercall_page + __HYPERVISOR_iret * 32

# Xen could not load a segment register that the frame wanted: it pushed DS, ES, FS, GS below the frame.
        .balign 16
xen_failsafe_entry:
        addl    $16, %esp
        pushl   $0
        pushl   $0x101
        jmp     common_entry

        RUN_CATCHING FLAT_KERNEL_DS

        ENTER_USER FLAT_USER_CS, FLAT_USER_DS
        jmp     hypercall_page + __HYPERVISOR_iret * 32
        .section .note.GNU-stack, "", @progbits
