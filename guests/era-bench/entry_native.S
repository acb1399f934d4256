# SYSENTER's way in and out.
#include "era-bench/entry_macros.inc"

# SYSENTER saves nothing (SDM vol. 2B): its caller left ESP in ECX and EIP in EDX. The frame that an INT would have
# left is made by hand, so that fork() can copy it and a child return by IRET.
        .text
        .align  16
        .globl  system_enter
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
        .section .note.GNU-stack, "", @progbits
