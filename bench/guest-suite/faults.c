// Fault rows: pages that come and go, protections that change, signals.
#define _GNU_SOURCE
#include <signal.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "suite.h"

enum { kPage = 4096, kPages = 64 };

static uint8_t* map(size_t bytes, int protection) {
  uint8_t* memory = mmap(NULL, bytes, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (memory == MAP_FAILED) give_up("no memory");
  return memory;
}

static uint32_t map_touch_unmap(uint32_t count) {
  uint32_t sum = 0;
  while (count--) {
    volatile uint8_t* memory = map(kPages * kPage, PROT_READ | PROT_WRITE);
    for (int i = 0; i < kPages; ++i) sum += ++memory[i * kPage];
    munmap((void*)memory, kPages * kPage);
  }
  return sum;
}

// Read-only and back, with a write after it, so that the change must have taken place.
static uint32_t protect_pair(uint32_t count) {
  volatile uint32_t* page = (uint32_t*)map(kPage, PROT_READ | PROT_WRITE);
  while (count--) {
    ++*page;
    if (mprotect((void*)page, kPage, PROT_READ) || mprotect((void*)page, kPage, PROT_READ | PROT_WRITE))
      give_up("no mprotect");
  }
  const uint32_t written = *page;
  munmap((void*)page, kPage);
  return written;
}

static volatile uint32_t signals;

static void on_signal(int number) { signals += (uint32_t)number; }

static uint32_t signal_self(uint32_t count) {
  struct sigaction action = {.sa_handler = on_signal}, old;
  sigaction(SIGUSR1, &action, &old);
  signals = 0;
  const pid_t self = getpid();
  while (count--) kill(self, SIGUSR1);
  sigaction(SIGUSR1, &old, NULL);
  return signals;
}

#ifdef __x86_64__
enum { kInstructionPointer = REG_RIP };
#else
enum { kInstructionPointer = REG_EIP };
#endif

// Steps over the load below, which is two bytes long.
static void on_fault(int number, siginfo_t* info, void* context) {
  signals += (uint32_t)number + ((uintptr_t)info->si_addr & (kPage - 1));
  ((ucontext_t*)context)->uc_mcontext.gregs[kInstructionPointer] += 2;
}

static uint32_t fault_handler(uint32_t count) {
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO}, old;
  sigaction(SIGSEGV, &action, &old);
  uint8_t* page = map(kPage, PROT_NONE);
  signals = 0;
  while (count--) {
    uint32_t loaded;
    __asm__ volatile(".byte 0x8b, 0x01" : "=a"(loaded) : "c"(page + 16) : "memory");  // mov eax, [ecx or rcx]
    HIDE(loaded);
  }
  munmap(page, kPage);
  sigaction(SIGSEGV, &old, NULL);
  return signals;
}

const struct row fault_rows[] = {{"map-touch-unmap", "page", map_touch_unmap, kPages, 2},
                                 {"mprotect-pair", "page", protect_pair, 1, 10},
                                 {"signal", "signal", signal_self, 1, 10},
                                 {"sigsegv", "signal", fault_handler, 1, 10},
                                 {0}};
