// Programs that cross into the kernel and come back: system calls, and exceptions of their own making.
#include "era-bench/user.h"

asm(R"(
        .globl  leave_program
leave_program:
        movl    %eax, %ebx
        movl    $1, %eax                # kExit
        int     $0x80
)");

u32 user_sysenter(u32) {
  user_sample([] { system_call(kNothing); });
  return 0;
}

u32 user_interrupt(u32) {
  user_sample([] { interrupt_call(kNothing); });
  return 0;
}

// The kernel goes on where kResume said, after the exception. The labels are in this function once each.
u32 user_divide(u32) {
  u32 label;
  asm volatile("movl $divide_resumes, %0" : "=r"(label));
  interrupt_call(kResume, label);
  user_sample([] {
    asm volatile("xorl %%ecx, %%ecx\n divl %%ecx\ndivide_resumes:" ::: "eax", "ecx", "edx", "memory");
  });
  return 0;
}

u32 user_touch(u32 linear) {
  u32 label;
  asm volatile("movl $touch_resumes, %0" : "=r"(label));
  interrupt_call(kResume, label);
  user_sample([linear] {
    u32 value;
    asm volatile("movl (%1), %0\ntouch_resumes:" : "=r"(value) : "r"(linear) : "memory");
  });
  return 0;
}
