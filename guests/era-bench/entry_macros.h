/* Assembler's: registers saved for a C++ handler, and restored; and what an interface does its own way. */
#ifdef ERA_XEN
#include "era-bench/entry_xen.h"
#else
#include "era-bench/entry_native.h"
#endif

        .macro  ENTER handler
        pushl   %es
        pushl   %ds
        pushal
        movl    $ERA_KERNEL_DATA, %eax
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
