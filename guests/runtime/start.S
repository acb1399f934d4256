# Multiboot 1 header and entry: a stack, then C++.
        .section .multiboot, "a"
        .align  4
        .long   0x1badb002
        .long   0x00000003              # pages aligned, memory map
        .long   -(0x1badb002 + 0x00000003)

        .section .text.start, "ax"
        .globl  _start
_start:
        cli
        cld
        movl    $boot_stack_top, %esp
        pushl   $0
        popfl
        pushl   %ebx
        pushl   %eax
        call    runtime_start
1:      hlt
        jmp     1b

        .section .bss
        .align  4096
        .globl  boot_stack_top
        .skip   65536
boot_stack_top:
        .section .note.GNU-stack, "", @progbits
