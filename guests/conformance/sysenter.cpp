// Guest: SYSENTER and SYSEXIT (SDM vol. 2B, and vol. 3A 5.8.7), from CPL 3 and from virtual-8086 mode.
#include "runtime/v86.h"

namespace {

constexpr u32 kCsMsr = 0x174, kEspMsr = 0x175, kEipMsr = 0x176, kIf = 0x200;

extern "C" char sysenter_target[], sysenter_v86_target[];
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
sysenter_v86_target:
        int     $0x80
        .popsection
)");
SNIPPET(user_fast, "movl %esp, g_user_esp\n pushl $0x41\n popl %ebp", "sysenter",
        "movl %cs, %esi\n movl %ss, %edi\n movl %ds, %ebx\n int $0x80");
SNIPPET(user_sysexit, "", "sysexit", "int $0x80");
SNIPPET(kernel_sysexit, "movl $kernel_sysexit_next, %edx\n movl g_user_esp, %ecx", "sysexit", "int $0x80");
SNIPPET(get_cs_msr, "movl $0x174, %ecx", "rdmsr", "");

}  // namespace

extern "C" {
u32 g_entered_esp, g_entered_flags, g_user_esp;
u16 g_entered_cs, g_entered_ss;
}

namespace {

void set_msrs(u32 cs, const char* eip) {
  if (skipping()) return;
  write_msr(kCsMsr, cs);
  write_msr(kEspMsr, g_tss.esp0);
  write_msr(kEipMsr, reinterpret_cast<u32>(eip));
}

void test_calls() {
  // SYSENTER wants CS, SS, user CS, user SS side by side: 08, 10, 18, 20, as the runtime has them.
  set_msrs(0, sysenter_target);
  check_caught(run_user(user_fast), 13, 0, user_fast_at, "#GP(0): SYSENTER_CS is null");
  set_msrs(3, sysenter_target);
  check_caught(run_user(user_fast), 13, 0, user_fast_at, "#GP(0): SYSENTER_CS is null but for RPL");
  set_msrs(kKernelCode, sysenter_target);
  Caught c = run_user(user_fast, kIf | 0xcd7);
  check_caught(c, 0x80, 0, user_fast_end, "SYSENTER and SYSEXIT");
  check_equal(g_entered_esp, g_tss.esp0, "ESP comes from the MSR");
  check_equal(g_entered_flags & kIf, 0, "IF is clear");
  check_equal(g_entered_flags & 0x8d5, 0xcd7 & 0x8d5, "arithmetic flags pass");
  check_equal(g_entered_cs, kKernelCode, "CS");
  check_equal(g_entered_ss, kKernelData, "SS");
  check_equal(c.frame.esi, kUserCode, "CS after SYSEXIT");
  check_equal(c.frame.edi, kUserData, "SS after SYSEXIT");
  check_equal(c.esp, g_user_esp, "ESP after SYSEXIT is ECX");
  check_equal(c.frame.ebx, kUserData, "DS is kept");
  check_equal(c.frame.ebp, 0x41, "EBP is kept");
  check_equal(c.eflags & kIf, 0, "SYSEXIT leaves IF clear");
  set_msrs(kKernelCode | 3, sysenter_target);
  check_caught(run_user(user_fast), 0x80, 0, user_fast_end, "SYSENTER_CS with RPL 3");
  check_equal(g_entered_cs, kKernelCode, "its RPL is dropped");
}

void test_sysexit() {
  check_caught(run_user(user_sysexit), 13, 0, user_sysexit_at, "#GP(0): SYSEXIT at CPL 3");
  check_caught(run(kernel_sysexit), 0x80, 0, kernel_sysexit_end, "SYSEXIT alone");
  set_msrs(0, sysenter_target);
  check_caught(run(kernel_sysexit), 13, 0, kernel_sysexit_at, "#GP(0): SYSEXIT with a null SYSENTER_CS");
}

void test_msrs() {
  set_msrs(0x1234, sysenter_target);
  check_equal(skipping() ? 0 : static_cast<u32>(read_msr(kCsMsr)), 0x1234, "SYSENTER_CS is kept");
  check_equal(skipping() ? 0 : static_cast<u32>(read_msr(kEspMsr)), g_tss.esp0, "SYSENTER_ESP is kept");
  check_none(run(get_cs_msr), "RDMSR of SYSENTER_CS");
}

void test_v86() {
  set_msrs(kKernelCode, sysenter_v86_target);
  const u8 code[] = {0x0f, 0x34, 0xf4};
  const Caught c = run_v86(code, 0x202);
  check_caught(c, 0x80, 0, nullptr, "SYSENTER from v8086 mode");
  check_equal(c.cs, kKernelCode, "its CS");
  check_equal(c.eflags & (kEflagsVm | kIf), 0, "VM and IF are clear");
}

}  // namespace

void guest_main() {
  const Requirement sep(has_feature(kFeatureSep), "no SEP");
  test_calls();
  test_sysexit();
  test_msrs();
  test_v86();
}
