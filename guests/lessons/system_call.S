# Guest in assembly alone: an interrupt gate for CPL 3, code at CPL 3 that calls it twice, and back.
        .set    USER_CODE, 0x1b
        .set    USER_DATA, 0x23

        .text
        .globl  guest_main
guest_main:
        pushl   $before
        call    print
        addl    $4, %esp

        # Gate 90h: to system_call in the kernel's code segment; DPL 3, so that CPL 3 may use it.
        movl    $system_call, %eax
        movw    %ax, g_idt+0x90*8
        movw    $0x08, g_idt+0x90*8+2
        movw    $0xee00, g_idt+0x90*8+4
        shrl    $16, %eax
        movw    %ax, g_idt+0x90*8+6

        # IRET to an outer level takes SS:ESP too; the TSS says where an interrupt from there finds its stack.
        movl    %esp, kernel_stack
        pushl   $USER_DATA
        pushl   $user_stack_top
        pushl   $2
        pushl   $USER_CODE
        pushl   $user
        movl    $USER_DATA, %eax
        movl    %eax, %ds
        movl    %eax, %es
        iretl

user:                                   # CPL 3: EAX is the number of the call
        movl    $1, %eax
        movl    $message, %ebx
        int     $0x90
        movl    $2, %eax
        int     $0x90

system_call:                            # 1: print EBX; 2: leave CPL 3
        movl    $0x10, %ecx
        movl    %ecx, %ds
        movl    %ecx, %es
        cmpl    $2, %eax
        je      1f
        pushl   %ebx
        call    print
        addl    $4, %esp
        movl    $USER_DATA, %ecx
        movl    %ecx, %ds
        movl    %ecx, %es
        iretl
1:      movl    kernel_stack, %esp      # the frame from CPL 3 is dropped
        pushl   $after
        call    print
        addl    $4, %esp
        ret

        .section .rodata
before: .asciz  "CPL 0: going out\n"
message: .asciz "CPL 3: hello through INT 90h\n"
after:  .asciz  "CPL 0: back again\n"

        .bss
        .align  16
        .skip   4096
user_stack_top:
kernel_stack: .long 0
        .section .note.GNU-stack, "", @progbits
