# Entry of all 256 vectors by the IDT, and the ways back and to CPL 3 by IRET.
#include "runtime/entry.inc"

        .text
        .align  16
        .globl  vector_entries
vector_entries:
        ENTRY_STUBS 256, common_entry

# Stack: vector, error code, EIP, CS, EFLAGS, [ESP, SS, [ES, DS, FS, GS]].
common_entry:
        CALL_WITH_FRAME runtime_exception, 0x10
        RESTORE_FRAME
        iretl

        RUN_CATCHING 0x10

        ENTER_USER 0x1b, 0x23
        iretl
        .section .note.GNU-stack, "", @progbits
