/* The way back to CPL 3 under the native interface; a paravirtual one may need a hypercall. */
#define ERA_IRET iretl
