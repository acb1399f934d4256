// Rows of instructions that need no device: calls, flags, time, identification, code that changes.
#include "era-bench/ops.h"
#include "era-bench/output.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "runtime/cpu.h"

extern "C" {
void era_return();
u32 era_patched();
extern u8 era_patched_immediate[];
}
asm(R"(
        .pushsection .text
        .align  16
era_return:
        ret
        .popsection
        .pushsection .smc, "awx"
        .align  16
era_patched:
        .byte   0xb8                    # movl $0, %eax
era_patched_immediate:
        .long   0
        ret
        .popsection
)");

namespace {

// The loop itself: what all other rows of this file contain.
const char* run_loop(const Options&) {
  sample([] { asm volatile("" ::: "memory"); });
  return nullptr;
}

// Their call/ret: binary translation pays here, because RET must find the translation of where it returns to.
const char* run_call(const Options&) {
  sample([] { asm volatile("call era_return" ::: "memory"); });
  return nullptr;
}

const char* run_flags(const Options&) {
  sample([] { asm volatile("pushfl\n popfl" ::: "memory", "cc"); });
  return nullptr;
}

// A critical section's two ends. IF is clear before and after a batch.
const char* run_interrupt_flag(const Options&) {
  sample([] {
    ops::enable_interrupts();
    ops::disable_interrupts();
  });
  return nullptr;
}

const char* run_tsc(const Options&) {
  sample([] { read_tsc(); });
  return nullptr;
}

const char* run_cpuid(const Options&) {
  sample([] { cpuid(0); });
  return nullptr;
}

// Writes the operand of an instruction and executes it: a breakpoint, a just-in-time compiler, Linux's
// patching. On one processor a jump, as this call, is serialization enough (SDM vol. 3A 8.1.3).
const char* run_patch(const Options&) {
  u32 value = 0;
  u32 wrong = 0;
  sample([&] {
    *reinterpret_cast<volatile u32*>(era_patched_immediate) = ++value;
    asm volatile("" ::: "memory");
    if (era_patched() != value) ++wrong;
  });
  if (wrong != 0) report_failure("smc", "the old instruction ran");
  return nullptr;
}

constexpr Row kRows[] = {
    {"loop", run_loop}, {"call-ret", run_call}, {"pushf-popf", run_flags}, {"cli-sti", run_interrupt_flag},
    {"rdtsc", run_tsc}, {"cpuid", run_cpuid},   {"smc", run_patch}};

}  // namespace

Family basic_rows() { return family_of(kRows); }
