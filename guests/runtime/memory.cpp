// Filling and copying of memory, by the string instructions.
#include "runtime/memory.h"

void memory_set(void* to, int value, u32 bytes) {
  asm volatile("rep stosb" : "+D"(to), "+c"(bytes) : "a"(value) : "memory");
}

void memory_copy(void* to, const void* from, u32 bytes) {
  asm volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(bytes)::"memory");
}

extern "C" void* memset(void* to, int value, u32 bytes) {
  memory_set(to, value, bytes);
  return to;
}
extern "C" void* memcpy(void* to, const void* from, u32 bytes) {
  memory_copy(to, from, bytes);
  return to;
}
