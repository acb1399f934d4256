// Pages for code that a guest writes itself.
#pragma once

#include "runtime/runtime.h"

alignas(4096) inline u8 g_code[4][4096];
// Hides the array's bounds: code straddles its pages.
inline u8* page(u32 i) {
  u8* p = g_code[i];
  asm("" : "+r"(p));
  return p;
}
inline u32 (*at(void* p))() { return reinterpret_cast<u32 (*)()>(p); }

// MOV EAX, value; RET.
inline void put_mov(u8* p, u32 value) {
  p[0] = 0xb8;
  memory_copy(p + 1, &value, 4);
  p[5] = 0xc3;
}
