# Ways into the kernel and out of it: traps, INT 80h, and the switch of kernel stacks.
#include "era-bench/entry_macros.inc"

        .text
        .align  16
        .globl  trap_stubs, common_trap, call_stub, empty_handler, return_from_trap, switch_stacks
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
