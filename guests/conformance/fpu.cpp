// Guest: x87 and SSE under CR0 and CR4: #NM, #UD, #MF, #XM; FXSAVE; and SYSENTER.
#include "runtime/runtime.h"

namespace {

constexpr u32 kMp = 2, kEm = 4, kTs = 8, kNe = 0x20;
constexpr u32 kOsFxsr = 0x200, kOsXmmExcpt = 0x400;

SNIPPET(x87_load, "", "fld1", "fstp %st(0)");
SNIPPET(x87_wait, "", "fwait", "");
SNIPPET(x87_init, "", "fninit", "");
SNIPPET(mmx_zero, "", "pxor %mm0, %mm0", "emms");
SNIPPET(sse_zero, "", "xorps %xmm0, %xmm0", "");
SNIPPET(fx_save, "", "fxsave g_fx", "");
SNIPPET(fx_save_unaligned, "", "fxsave g_fx+8", "");
SNIPPET(sse_unaligned, "", "movaps g_fx+4, %xmm0", "");
SNIPPET(x87_divide, "fninit\n fldcw g_unmasked\n fld1\n fldz\n fdivrp", "fwait", "");
SNIPPET(x87_divide_then_load, "fninit\n fldcw g_unmasked\n fld1\n fldz\n fdivrp", "fld1", "");
SNIPPET(x87_no_wait, "fninit\n fldcw g_unmasked\n fld1\n fldz\n fdivrp\n fnstsw %ax\n fnclex", "fwait", "");
SNIPPET(sse_divide,
        "pushl $0x1d80\n ldmxcsr (%esp)\n addl $4, %esp\n xorps %xmm1, %xmm1\n movss g_one, %xmm0",
        "divss %xmm1, %xmm0", "");
SNIPPET(bad_mxcsr, "pushl $0x12345678\n movl %esp, %ebx\n addl $4, %esp", "ldmxcsr (%ebx)", "");

void set_cr0(u32 bits) { write_cr0((read_cr0() & ~(kMp | kEm | kTs | kNe)) | bits); }

void test_availability() {
  set_cr0(kTs | kMp | kNe);
  check_caught(run(x87_load), 7, 0, x87_load_at, "#NM: x87 with TS");
  check_caught(run(x87_wait), 7, 0, x87_wait_at, "#NM: FWAIT with TS and MP");
  check_caught(run(mmx_zero), 7, 0, mmx_zero_at, "#NM: MMX with TS");
  set_cr0(kTs | kNe);
  check(!run(x87_wait).any, "FWAIT with TS, MP = 0");
  set_cr0(kEm | kNe);
  check_caught(run(x87_load), 7, 0, x87_load_at, "#NM: x87 with EM");
  check_caught(run(mmx_zero), 6, 0, mmx_zero_at, "#UD: MMX with EM");
  write_cr4(read_cr4() | kOsFxsr);
  check_caught(run(sse_zero), 6, 0, sse_zero_at, "#UD: SSE with EM");
  set_cr0(kTs | kMp | kNe);
  check_caught(run(sse_zero), 7, 0, sse_zero_at, "#NM: SSE with TS");
  check_caught(run(fx_save), 7, 0, fx_save_at, "#NM: FXSAVE with TS");
  asm volatile("clts");
  // RESET leaves all registers valid and all exceptions unmasked (SDM vol. 3A table 9-1).
  run(x87_init);
  check(!run(x87_load).any, "CLTS");
  write_cr4(read_cr4() & ~kOsFxsr);
  check_caught(run(sse_zero), 6, 0, sse_zero_at, "#UD: SSE without OSFXSR");
  write_cr4(read_cr4() | kOsFxsr | kOsXmmExcpt);
  check(!run(sse_zero).any, "SSE with OSFXSR");
}

void test_errors() {
  set_cr0(kMp | kNe);
  check_caught(run(x87_divide), 16, 0, x87_divide_at, "#MF at FWAIT");
  check_caught(run(x87_divide_then_load), 16, 0, x87_divide_then_load_at, "#MF at the next x87 instruction");
  run(x87_init);
  check(!run(x87_no_wait).any, "FNSTSW and FNCLEX don't wait");
  run(x87_init);
  check_caught(run(sse_divide), 19, 0, sse_divide_at, "#XM");
  write_cr4(read_cr4() & ~kOsXmmExcpt);
  check_caught(run(sse_divide), 6, 0, sse_divide_at, "#UD in place of #XM without OSXMMEXCPT");
  write_cr4(read_cr4() | kOsXmmExcpt);
  check_caught(run(bad_mxcsr), 13, 0, bad_mxcsr_at, "#GP(0): reserved bits of MXCSR");
  check_caught(run(sse_unaligned), 13, 0, sse_unaligned_at, "#GP(0): MOVAPS unaligned");
  check_caught(run(fx_save_unaligned), 13, 0, fx_save_unaligned_at, "#GP(0): FXSAVE unaligned");
  const u32 normal = 0x1f80;
  asm volatile("ldmxcsr %0" ::"m"(normal));
}

}  // namespace

extern "C" {
alignas(16) u8 g_fx[544];
u16 g_unmasked = 0x37b;
u32 g_one = 0x3f800000;
}

namespace {

void test_values() {
  double value = 2.0;
  u32 result[2];
  asm volatile("fninit\n fldl %1\n fsqrt\n fstpl %0" : "=m"(result) : "m"(value));
  check(result[0] == 0x667f3bcd && result[1] == 0x3ff6a09e, "FSQRT of 2");
  asm volatile("fninit\n fld1\n fldpi\n fxsave g_fx" ::: "memory");
  check_equal(g_fx[0] | g_fx[1] << 8, 0x37f, "FXSAVE: FCW");
  check_equal((g_fx[3] >> 3) & 7, 6, "FXSAVE: TOP");
  check_equal(g_fx[4], 0xc0, "FXSAVE: tags");
  check_equal(g_fx[32 + 9], 0x40, "FXSAVE: ST0 is pi");
  memory_set(g_fx + 288, 0xa5, 224);
  asm volatile("fxsave g_fx" ::: "memory");
  check(g_fx[300] == 0xa5 && g_fx[415] == 0xa5, "FXSAVE leaves XMM8-15's place alone in 32-bit mode");
  asm volatile("fninit\n fxrstor g_fx\n fxsave g_fx" ::: "memory");
  check_equal((g_fx[3] >> 3) & 7, 6, "FXRSTOR");
  u32 environment[7];
  asm volatile("fninit\n fld1\n fnstenv %0" : "=m"(environment));
  check_equal(environment[0] & 0xffff, 0x37f, "FNSTENV: FCW");
  check_equal(environment[2] & 0xffff, 0x3fff, "FNSTENV: full tag word");
}

// SYSENTER from CPL 3, SYSEXIT back.
extern "C" char sysenter_target[];
asm(R"(
        .pushsection .text
sysenter_target:
        movl    %esp, g_entered_esp
        pushfl
        popl    g_entered_flags
        movw    %cs, g_entered_cs
        movw    %ss, g_entered_ss
        movl    $user_fast_next, %edx
        movl    g_user_esp, %ecx
        sysexit
        .popsection
)");
SNIPPET(user_fast, "movl %esp, g_user_esp", "sysenter", "movl %cs, %esi\n movl %ss, %edi\n int $0x80");

}  // namespace

extern "C" {
u32 g_entered_esp, g_entered_flags, g_user_esp;
u16 g_entered_cs, g_entered_ss;
}

namespace {

void test_sysenter() {
  const Requirement sep(has_feature(kFeatureSep), "no SEP");
  // SYSENTER wants CS, SS, user CS, user SS side by side: 08, 10, 18, 20, as the runtime has them.
  if (!skipping()) write_msr(0x174, 0);
  check_caught(run_user(user_fast), 13, 0, user_fast_at, "#GP(0): SYSENTER_CS is null");
  if (!skipping()) {
    write_msr(0x174, kKernelCode);
    write_msr(0x175, g_tss.esp0);
    write_msr(0x176, reinterpret_cast<u32>(sysenter_target));
  }
  const Caught c = run_user(user_fast, 0x202);
  check_caught(c, 0x80, 0, user_fast_end, "SYSENTER and SYSEXIT");
  check_equal(g_entered_esp, g_tss.esp0, "ESP");
  check_equal(g_entered_flags & 0x200, 0, "IF is clear");
  check_equal(g_entered_cs, kKernelCode, "CS");
  check_equal(g_entered_ss, kKernelData, "SS");
  check_equal(c.frame.esi, kUserCode, "CS after SYSEXIT");
  check_equal(c.frame.edi, kUserData, "SS after SYSEXIT");
  check_equal(c.esp, g_user_esp, "ESP after SYSEXIT");
}

}  // namespace

void guest_main() {
  test_availability();
  test_errors();
  test_values();
  test_sysenter();
}
