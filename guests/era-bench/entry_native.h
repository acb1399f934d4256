/* The way back to CPL 3 under the native interface; and the kernel's data segment. */
#define ERA_IRET iretl
#define ERA_KERNEL_DATA 0x10
