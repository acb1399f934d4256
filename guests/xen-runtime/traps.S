# Entries of the trap table and of the event callback, the way back from them, and the way to whoever catches.
#define __ASSEMBLY__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>

        .macro  SAVE
        pushal
        pushl   %gs
        pushl   %fs
        pushl   %es
        pushl   %ds
        movl    $FLAT_KERNEL_DS, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        cld
        movl    %esp, %eax
        pushl   %eax
        .endm

        .text
        .balign 16
        .globl  xen_trap_entries, xen_call_entry, xen_event_entry, xen_failsafe_entry
xen_trap_entries:
        .set    i, 0
        .rept   32
        .balign 16
        .if !(i == 8 || (i >= 10 && i <= 14) || i == 17)
        pushl   $0                      # where Xen pushes no error code (nor does a CPU)
        .endif
        pushl   $i
        jmp     common_entry
        .set    i, i + 1
        .endr
xen_call_entry:
        pushl   $0
        pushl   $0x80
common_entry:
        SAVE
        call    xen_exception
        jmp     restore

# The event callback: EIP, CS (its upper half the upcall mask as it was), EFLAGS [, ESP, SS]; events are masked.
        .balign 16
xen_event_entry:
        pushl   $0
        pushl   $0x100
        SAVE
        call    xen_upcall
restore:
        addl    $4, %esp
        popl    %ds
        popl    %es
        popl    %fs
        popl    %gs
        popal
        addl    $8, %esp
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

# int run_catching(void (*code)(u32), u32 argument): 0 if code returned, 1 if an exception ended it.
        .globl  run_catching, caught_return
run_catching:
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        pushl   catch_esp
        movl    %esp, catch_esp
        movl    24(%esp), %ecx
        movl    28(%esp), %eax
        pushl   %eax
        call    *%ecx
        addl    $4, %esp
        xorl    %eax, %eax
        jmp     2f
caught_return:
        movl    $FLAT_KERNEL_SS, %eax
        movl    %eax, %ss
        movl    catch_esp, %esp
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        cld
        movl    $1, %eax
2:      popl    catch_esp
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
        ret

# void enter_user(u32 eip, u32 esp, u32 eflags): CPL 3 with flat segments; comes back through run_catching.
        .globl  enter_user
enter_user:
        movl    4(%esp), %eax
        movl    8(%esp), %ecx
        movl    12(%esp), %edx
        pushl   $FLAT_USER_SS
        pushl   %ecx
        pushl   %edx
        pushl   $FLAT_USER_CS
        pushl   %eax
        movl    $FLAT_USER_DS, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        jmp     hypercall_page + __HYPERVISOR_iret * 32

        .bss
        .balign 4
        .globl  catch_esp
catch_esp: .long 0
        .section .note.GNU-stack, "", @progbits
