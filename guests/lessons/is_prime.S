# Guest: the example of Adams & Agesen 2006, section 3, as its compiler left it: `ringshift explain` shows what becomes of it.
#
#   int isPrime(int a) {
#     for (int i = 2; i < a; i++) { if (a % i == 0) return 0; }
#     return 1;
#   }
        .text
        .globl  isPrime
        .type   isPrime, @function
isPrime:
        movl    %edi, %ecx              # ECX = a, which comes in EDI
        movl    $2, %esi                # i = 2
        cmpl    %ecx, %esi              # is i >= a?
        jge     .Lprime
.Lnexti:
        movl    %ecx, %eax              # EAX = a
        cdq
        idivl   %esi                    # a % i
        testl   %edx, %edx              # is the remainder zero?
        jz      .LnotPrime
        incl    %esi                    # i++
        cmpl    %ecx, %esi              # is i >= a?
        jl      .Lnexti
.Lprime:
        movl    $1, %eax
        ret
.LnotPrime:
        xorl    %eax, %eax
        ret
        .size   isPrime, . - isPrime

        # Instructions that hardware executes without a trap at CPL 1 to 3, and gets wrong for a guest's kernel.
        .globl  sensitive
        .type   sensitive, @function
sensitive:
        pushf
        cli
        popf
        ret
        .size   sensitive, . - sensitive

        # The primes below 2,000: 303.
        .globl  guest_main
        .type   guest_main, @function
guest_main:
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        xorl    %ebx, %ebx
        movl    $2, %edi
1:      call    isPrime
        addl    %eax, %ebx
        incl    %edi
        cmpl    $2000, %edi
        jl      1b
        call    sensitive
        pushl   %ebx
        call    print_decimal
        addl    $4, %esp
        pushl   $text
        call    print
        addl    $4, %esp
        popl    %edi
        popl    %esi
        popl    %ebx
        ret
        .size   guest_main, . - guest_main

        .section .rodata
text:   .asciz  " primes below 2000\n"
        .section .note.GNU-stack, "", @progbits
