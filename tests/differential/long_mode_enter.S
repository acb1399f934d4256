// One instruction in 64-bit mode with a guest's registers, ESP included; none is left for the way back, so
// the context stands at a fixed place (LongModeContext).
// Offsets: host_fx 0, fx 512, gpr 1024, host_rsp 1056, target 1064, flags 1072, taken 1080.
        .text
        .globl  ringshift_long_enter
        .type   ringshift_long_enter, @function
ringshift_long_enter:
        pushq   %rbx
        pushq   %rbp
        pushq   %r12
        pushq   %r13
        pushq   %r14
        pushq   %r15
        leaq    ringshift_long_context(%rip), %rdi
        pushq   %rdi
        movq    %rsp, 1056(%rdi)
        fxsave64 (%rdi)
        fxrstor64 512(%rdi)
        pushq   1072(%rdi)
        movl    1024(%rdi), %eax
        movl    1028(%rdi), %ecx
        movl    1032(%rdi), %edx
        movl    1036(%rdi), %ebx
        movl    1044(%rdi), %ebp
        movl    1048(%rdi), %esi
        popfq
        movl    1040(%rdi), %esp
        movl    1052(%rdi), %edi
        jmp     *1064+ringshift_long_context(%rip)

        .globl  ringshift_long_taken
        .type   ringshift_long_taken, @function
ringshift_long_taken:
        movl    $1, 1080+ringshift_long_context(%rip)
        .globl  ringshift_long_done
        .type   ringshift_long_done, @function
ringshift_long_done:
        movl    %edi, 1052+ringshift_long_context(%rip)
        leaq    ringshift_long_context(%rip), %rdi
        movl    %esp, 1040(%rdi)
        movq    1056(%rdi), %rsp
        pushfq
        popq    1072(%rdi)
        movl    %eax, 1024(%rdi)
        movl    %ecx, 1028(%rdi)
        movl    %edx, 1032(%rdi)
        movl    %ebx, 1036(%rdi)
        movl    %ebp, 1044(%rdi)
        movl    %esi, 1048(%rdi)
        fxsave64 512(%rdi)
        jmp     ringshift_host_return
        .section .note.GNU-stack,"",@progbits
