# Ways into the kernel and out of it: traps, INT 80h, SYSENTER, and the switch of kernel stacks.
#include "era-bench/entry_native.h"

        .macro  ENTER handler
        pushl   %es
        pushl   %ds
        pushal
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        cld
        movl    %esp, %eax
        pushl   %eax
        call    \handler
        addl    $4, %esp
        .endm

        .macro  RESTORE
        popal
        popl    %ds
        popl    %es
        .endm

        .text
        .align  16
        .globl  trap_stubs, call_stub, system_enter, empty_handler, return_from_trap, switch_stacks
trap_stubs:
        .set    i, 0
        .rept   48
        .align  16
        .if !(i == 8 || (i >= 10 && i <= 14) || i == 17)
        pushl   $0                      # where the CPU pushes no error code
        .endif
        pushl   $i
        jmp     common_trap
        .set    i, i + 1
        .endr

        .align  16
common_trap:
        ENTER   handle_trap
return_from_trap:
        RESTORE
        addl    $8, %esp
        ERA_IRET

        .align  16
call_stub:
        pushl   $0
        pushl   $0x80
        ENTER   handle_call
        jmp     return_from_trap

# SYSENTER saves nothing (SDM vol. 2B): its caller left ESP in ECX and EIP in EDX. The frame that an INT would have
# left is made by hand, so that fork() can copy it and a child return by IRET.
        .align  16
system_enter:
        movl    (%esp), %esp
        pushl   $0x23
        pushl   %ecx
        pushfl
        orl     $0x200, (%esp)
        pushl   $0x1b
        pushl   %edx
        pushl   $0
        pushl   $0x80
        ENTER   handle_call
        RESTORE
        sti
        sysexit

        .align  16
empty_handler:
        ERA_IRET

# void switch_stacks(u32* save, u32 load)
        .align  16
switch_stacks:
        movl    4(%esp), %eax
        movl    8(%esp), %edx
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        movl    %esp, (%eax)
        movl    %edx, %esp
        popl    %edi
        popl    %esi
        popl    %ebx
        popl    %ebp
        ret
        .section .note.GNU-stack, "", @progbits
