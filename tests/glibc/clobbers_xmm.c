// Whether this process's memcpy, memset, memmove and memcmp write to XMM0-15: 0 if so, 1 if not.
//
// With AVX-512 they use registers 16 and up, and code that calls them while guest vector state is live goes
// unpunished. The tests that run under GLIBC_TUNABLES prove by this program that the setting took effect.
#include <stdio.h>
#include <string.h>

static unsigned char from[1024], to[1024];
static unsigned char before[16][16], after[16][16];

#define LOAD(n) "movdqu " #n "*16(%[before]), %%xmm" #n "\n"
#define STORE(n) "movdqu %%xmm" #n ", " #n "*16(%[after])\n"
#define ALL(X) X(0) X(1) X(2) X(3) X(4) X(5) X(6) X(7) X(8) X(9) X(10) X(11) X(12) X(13) X(14) X(15)

// Calls function(a, b, size) with the XMM registers as in `before`, and saves them to `after`.
static void call(void* function, void* a, const void* b, size_t size) {
  // The pointers live in call-saved registers; the compiler keeps nothing below RSP across this (no red zone).
  register void* load_from asm("rbx") = before;
  register void* store_to asm("r12") = after;
  register void* target asm("r13") = function;
  asm volatile(ALL(LOAD) "mov %%rsp, %%r14\n sub $256, %%rsp\n and $-16, %%rsp\n call *%[target]\n mov %%r14, %%rsp\n" ALL(STORE)
               : "+D"(a), "+S"(b), "+d"(size)
               : [before] "r"(load_from), [after] "r"(store_to), [target] "r"(target)
               : "rax", "rcx", "r8", "r9", "r10", "r11", "r14", "memory", "cc", "xmm0", "xmm1", "xmm2", "xmm3",
                 "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
                 "xmm15");
}

static int clobbers(const char* name, void* function, int is_memset) {
  int any = 0;
  for (size_t size = 8; size <= 512; size *= 2) {
    memset(before, 0xa5, sizeof before);
    call(function, to, is_memset ? (void*)0x33 : from, size);
    for (int i = 0; i < 16; ++i)
      if (memcmp(before[i], after[i], 16) != 0) any |= 1 << i;
  }
  printf("%s changes XMM registers %04x\n", name, any);
  return any != 0;
}

int main(void) {
  for (size_t i = 0; i < sizeof from; ++i) from[i] = (unsigned char)(i * 7 + 1);
  int good = clobbers("memcpy", (void*)memcpy, 0);
  good &= clobbers("memmove", (void*)memmove, 0);
  good &= clobbers("memset", (void*)memset, 1);
  good &= clobbers("memcmp", (void*)memcmp, 0);
  return good ? 0 : 1;
}
