// Code rows: an instruction that is patched and called, as a just-in-time compiler does.
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>

#include "suite.h"

static uint32_t patch_and_call(uint32_t count) {
  static const uint8_t kCode[] = {0xb8, 0, 0, 0, 0, 0xc3};  // mov eax, imm32; ret
  uint8_t* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) give_up("no executable page");
  memcpy(page, kCode, sizeof kCode);
  uint32_t (*function)(void);
  memcpy(&function, &page, sizeof function);
  uint32_t wrong = 0;
  while (count--) {
    memcpy(page + 1, &count, sizeof count);
    HIDE(page);
    wrong += function() != count;
  }
  munmap(page, 4096);
  return wrong;
}

const struct row code_rows[] = {{"patch-and-call", "code", patch_and_call, 1, 1000}, {0}};
