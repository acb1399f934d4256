/* The way back under Xen: a hypercall, whose stub saves EAX (xen-x86_32.h); and the data segment. */
#define __ASSEMBLY__
#define __XEN_INTERFACE_VERSION__ 0x00040e00
#include <xen/xen.h>
#define ERA_IRET jmp hypercall_page + __HYPERVISOR_iret * 32
#define ERA_KERNEL_DATA FLAT_KERNEL_DS
