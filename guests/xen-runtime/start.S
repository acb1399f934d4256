# Xen's ELF notes (xen/elfnote.h), the hypercall page, and the entry of a paravirtual guest.
#define __ASSEMBLY__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/elfnote.h>
#include <xen/xen.h>

        .macro  XEN_NOTE type, kind:req, value:vararg
        .long   4, 2f - 1f, \type
        .asciz  "Xen"
1:      \kind   \value
2:      .balign 4
        .endm

        .section .note.Xen, "a", @note
        .balign 4
        XEN_NOTE XEN_ELFNOTE_GUEST_OS, .asciz, "ringshift-guest"
        XEN_NOTE XEN_ELFNOTE_GUEST_VERSION, .asciz, "1"
        XEN_NOTE XEN_ELFNOTE_XEN_VERSION, .asciz, "xen-3.0"
        XEN_NOTE XEN_ELFNOTE_LOADER, .asciz, "generic"
        XEN_NOTE XEN_ELFNOTE_PAE_MODE, .asciz, "yes"
        XEN_NOTE XEN_ELFNOTE_FEATURES, .asciz, "pae_pgdir_above_4gb"
        XEN_NOTE XEN_ELFNOTE_ENTRY, .long, _start
        XEN_NOTE XEN_ELFNOTE_HYPERCALL_PAGE, .long, hypercall_page
        # The image's addresses are pseudo-physical ones: VIRT_BASE and PADDR_OFFSET are 0.
        XEN_NOTE XEN_ELFNOTE_VIRT_BASE, .long, 0
        XEN_NOTE XEN_ELFNOTE_PADDR_OFFSET, .long, 0
        XEN_NOTE XEN_ELFNOTE_HV_START_LOW, .long, __HYPERVISOR_VIRT_START_PAE
        XEN_NOTE XEN_ELFNOTE_L1_MFN_VALID, .quad, 1, 1
        XEN_NOTE XEN_ELFNOTE_SUSPEND_CANCEL, .long, 0

# Filled in by the domain builder.
        .section .text.start, "ax"
        .balign 4096
        .globl  hypercall_page, _start
hypercall_page:
        .skip   4096

# ESI: start_info; ESP: the bootstrap stack, the last thing that the builder placed (xen.h, "Start-of-day").
_start:
        cld
        movl    %esp, %eax
        movl    $boot_stack_top, %esp
        pushl   $0
        popfl
        pushl   %eax
        pushl   %esi
        call    xen_start
1:      jmp     1b

        .section .bss
        .balign 4096
        .skip   32768
boot_stack_top:
        .section .note.GNU-stack, "", @progbits
