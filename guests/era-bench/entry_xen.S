# Xen's callbacks: an event is the timer's interrupt; the failsafe's frame has DS, ES, FS and GS below.
        .text
        .balign 16
        .globl  event_stub, failsafe_stub
event_stub:
        pushl   $0
        pushl   $0x20
        jmp     common_trap

        .balign 16
failsafe_stub:
        addl    $16, %esp
        pushl   $0
        pushl   $13                     # as #GP, which loading such a selector would be
        jmp     common_trap
        .section .note.GNU-stack, "", @progbits
