// Entry to virtual-8086 mode.
#include "runtime/v86.h"

BigTss g_big_tss;

void use_big_tss() {
  memory_copy(&g_big_tss.tss, &g_tss, sizeof g_tss);
  memory_set(g_big_tss.bitmap, 0xff, sizeof g_big_tss.bitmap);
  g_big_tss.tss.io_map = static_cast<u16>(sizeof(Tss) + sizeof g_big_tss.redirection);
  g_gdt[5] = make_descriptor(reinterpret_cast<u32>(&g_big_tss), sizeof g_big_tss - 1, 0x89, 0);
  asm volatile("ltr %w0" ::"r"(u32{kTssSelector}));
}

Caught run_v86(const void* code, u32 bytes, u32 flags) {
  u8* at = reinterpret_cast<u8*>(kV86Code);
  asm("" : "+r"(at));
  memory_set(at, 0xf4, 256);
  memory_copy(at, code, bytes);
  return run(
      [](u32 eflags) {
        asm volatile(
            "pushl $0\n pushl $0\n pushl $0x0b00\n pushl $0x0a00\n pushl $0x0900\n pushl $0x800\n pushl %0\n"
            " pushl $0x0800\n pushl $0\n iretl" ::"r"(eflags | kEflagsVm | 2)
            : "memory");
      },
      flags);
}
