# Entry of all 256 vectors, and the way back to whoever wanted to catch an exception.
        .text
        .align  16
        .globl  vector_entries
vector_entries:
        .set    i, 0
        .rept   256
        .align  16
        .if !(i == 8 || (i >= 10 && i <= 14) || i == 17)
        pushl   $0
        .endif
        pushl   $i
        jmp     common_entry
        .set    i, i + 1
        .endr

# Stack: vector, error code, EIP, CS, EFLAGS, [ESP, SS, [ES, DS, FS, GS]].
common_entry:
        pushal
        pushl   %gs
        pushl   %fs
        pushl   %es
        pushl   %ds
        movl    %ss, %eax
        movl    $0x10, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        cld
        movl    %esp, %eax
        pushl   %eax
        call    runtime_exception
        addl    $4, %esp
        popl    %ds
        popl    %es
        popl    %fs
        popl    %gs
        popal
        addl    $8, %esp
        iretl

# int run_catching(void (*code)(u32), u32 argument): 0 if code returned, 1 if an exception ended it.
        .globl  run_catching
run_catching:
        pushl   %ebp
        pushl   %ebx
        pushl   %esi
        pushl   %edi
        pushfl
        movl    catch_esp, %eax
        pushl   %eax
        movl    %esp, catch_esp
        movl    28(%esp), %ecx
        movl    32(%esp), %eax
        pushl   %eax
        call    *%ecx
        addl    $4, %esp
        xorl    %eax, %eax
        jmp     2f
        .globl  caught_return
caught_return:
        movl    $0x10, %eax
        movl    %eax, %ss
        movl    catch_esp, %esp
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    $1, %eax
2:      popl    %ecx
        movl    %ecx, catch_esp
        popfl
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
        pushl   $0x23
        pushl   %ecx
        pushl   %edx
        pushl   $0x1b
        pushl   %eax
        movl    $0x23, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        iretl

        .bss
        .globl  catch_esp
catch_esp: .long 0
        .section .note.GNU-stack, "", @progbits
