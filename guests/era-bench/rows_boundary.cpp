// Rows at the kernel's boundary: from CPL 3 to CPL 0 and back, by call and by exception.
#include "era-bench/ops.h"
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "era-bench/user.h"

namespace {

// Adams and Agesen's syscall: the fast call of the time. A null call through a kernel's usual path, which
// saves the registers and calls a C++ function.
const char* run_sysenter(const Options&) {
  if constexpr (ops::kNoSysenter != nullptr) return ops::kNoSysenter;
  run_program(user_sysenter, 0);
  return nullptr;
}

const char* run_interrupt(const Options&) {
  run_program(user_interrupt, 0);
  return nullptr;
}

// Their pgfault: a program touches a page that isn't there; the kernel looks in CR2 and the tables, and sends
// the program on behind the instruction.
const char* run_page_fault(const Options&) {
  run_program(user_touch, kUserEnd - (256 << 20));
  return nullptr;
}

const char* run_divide(const Options&) {
  run_program(user_divide, 0);
  return nullptr;
}

// INT and IRET at one privilege level, through a handler that is nothing but the IRET.
const char* run_same_level(const Options&) {
  sample([] { asm volatile("int $0x81" ::: "memory"); });
  return nullptr;
}

const char* run_hypercall(const Options&) {
  if constexpr (ops::kNoHypervisor != nullptr) return ops::kNoHypervisor;
  sample([] { ops::hypercall(); });
  return nullptr;
}

constexpr Row kRows[] = {{"syscall", run_sysenter},    {"int80", run_interrupt},
                         {"pgfault", run_page_fault},  {"divzero", run_divide},
                         {"int-iret", run_same_level}, {"hypercall", run_hypercall}};

}  // namespace

Family boundary_rows() { return family_of(kRows); }
