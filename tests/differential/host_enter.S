// Entry to 32-bit code by IRETQ, and the place where the signal handler comes back to.
// SysV: rdi = HostContext*. Offsets: host_fx 0, fx 512, frame 1024, gpr 1064, host_rsp 1096, ds 1104, es 1106.
        .text
        .globl  ringshift_host_enter
        .type   ringshift_host_enter, @function
ringshift_host_enter:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        pushq   %rdi
        movq    %rsp, 1096(%rdi)
        fxsave64 (%rdi)
        movw    1104(%rdi), %ds
        movw    1106(%rdi), %es
        fxrstor 512(%rdi)
        pushq   1056(%rdi)
        pushq   1048(%rdi)
        pushq   1040(%rdi)
        pushq   1032(%rdi)
        pushq   1024(%rdi)
        movl    1064(%rdi), %eax
        movl    1068(%rdi), %ecx
        movl    1072(%rdi), %edx
        movl    1076(%rdi), %ebx
        movl    1084(%rdi), %ebp
        movl    1088(%rdi), %esi
        movl    1092(%rdi), %edi
        iretq

// The handler sets RIP here, RSP = host_rsp and clean flags.
        .globl  ringshift_host_return
        .type   ringshift_host_return, @function
ringshift_host_return:
        # Sigreturn leaves NT as it was, and IRETQ with NT set is #GP.
        pushq   $0x202
        popfq
        popq    %rdi
        fxrstor64 (%rdi)
        popq    %r15
        popq    %r14
        popq    %r13
        popq    %r12
        popq    %rbp
        popq    %rbx
        ret

// The signal handler proper: guest code may have left EFLAGS.AC set, under which C++ code would fault.
        .globl  ringshift_host_handler
        .type   ringshift_host_handler, @function
ringshift_host_handler:
        pushfq
        andl    $~0x40000, (%rsp)
        popfq
        jmp     ringshift_host_signal
        .section .note.GNU-stack,"",@progbits
