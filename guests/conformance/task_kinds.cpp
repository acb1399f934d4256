// Guest: tasks of other kinds: the 286's TSS, and a task in virtual-8086 mode (SDM vol. 3A 8.6, 8.2.1;
// 3B 21.2.3).
#include "runtime/v86.h"

namespace {

constexpr u16 kTask = 0x30, kCode = 0x38;

struct [[gnu::packed]] Tss286 {
  u16 link, sp0, ss0, sp1, ss1, sp2, ss2, ip, flags;
  u16 ax, cx, dx, bx, sp, bp, si, di;
  u16 es, cs, ss, ds, ldt;
};
static_assert(sizeof(Tss286) == 44);
Tss286 g_old;
Tss g_new;
alignas(16) u8 g_old_stack[4096];
alignas(16) u8 g_new_stack[4096];
u64& slot(u16 selector) { return g_gdt[selector >> 3]; }
u32 address(const volatile void* p) { return reinterpret_cast<u32>(p); }
u8 type_of(u16 selector) { return static_cast<u8>(slot(selector) >> 40) & 0x1f; }

extern "C" char old_task[];
asm(R"(
        .pushsection .text
old_task:                               # 32-bit code below 64 KiB of its segment
1:      incl    g_kinds_runs
        movw    %ax, g_kinds_ax
        movw    %fs, g_kinds_fs
        movw    %gs, g_kinds_gs
        movl    %esp, g_kinds_esp
        pushfl
        popl    g_kinds_flags
        movw    $0x4321, %cx
        iretl
        jmp     1b
        .popsection
)");
SNIPPET(call_task, "movl $0x5566aabb, %eax", "lcall $0x30, $0", "clts");
SNIPPET(jump_task, "", "ljmp $0x30, $0", "clts");

void prepare_old() {
  const u32 start = address(old_task) & ~0xffffu;
  slot(kCode) = make_descriptor(start, 0xffff, 0x9b, 4);
  memory_set(&g_old, 0, sizeof g_old);
  g_old.ip = static_cast<u16>(address(old_task) - start);
  g_old.cs = kCode;
  g_old.flags = 2;
  g_old.ax = 0x7788;
  // 16 bits of stack pointer; what is above them in ESP is undefined.
  slot(0x40) = make_descriptor(address(g_old_stack), 0xfff, 0x93, 0);
  g_old.ss = 0x40;
  g_old.sp = 0x1000;
  g_old.ds = g_old.es = kKernelData;
  slot(kTask) = make_descriptor(address(&g_old), sizeof g_old - 1, 0x81, 0);
}

}  // namespace

extern "C" {
u32 g_kinds_runs, g_kinds_esp, g_kinds_flags;
u16 g_kinds_ax, g_kinds_fs = 1, g_kinds_gs = 1;
}

namespace {

void test_286() {
  prepare_old();
  check_none(run(call_task), "CALL to a 286 TSS and back");
  check_equal(g_kinds_runs, 1, "it ran");
  check_equal(g_kinds_ax, 0x7788, "AX comes from the TSS");
  check_equal(g_kinds_fs | g_kinds_gs, 0, "FS and GS are empty in it");
  check_equal(g_kinds_esp & 0xffff, 0x1000, "SP comes from the TSS");
  check_equal(g_kinds_flags & 0x4000, 0x4000, "NT is set");
  check_equal(g_old.link, kTssSelector, "its link");
  check_equal(g_old.cx, 0x4321, "CX is saved into it");
  check_equal(type_of(kTask), 1, "not busy after IRET");
  check_equal(g_tss.eax, 0x5566aabb, "the 386 task's TSS has all of EAX");
  g_kinds_runs = 0;
  check_none(run(call_task), "CALL again");
  check_equal(g_kinds_runs, 1, "it goes on where it was");
  slot(kTask) = make_descriptor(address(&g_old), 42, 0x81, 0);
  check_caught(run(call_task), 10, kTask, call_task_at, "#TS: a 286 TSS of 43 bytes");
  slot(kTask) = make_descriptor(address(&g_old), 43, 0x83, 0);
  check_caught(run(call_task), 13, kTask, call_task_at, "#GP: a busy 286 TSS");
}

void test_v86() {
  memory_set(&g_new, 0, sizeof g_new);
  u8* code = reinterpret_cast<u8*>(kV86Code);
  asm("" : "+r"(code));
  memory_set(code, 0xf4, 16);
  g_new.eflags = 0x20202;
  g_new.cs = 0x800;
  g_new.ss = 0x900;
  g_new.esp = 0x800;
  g_new.ds = 0xb00;
  g_new.es = 0xa00;
  g_new.eax = 0x1234;
  g_new.ss0 = kKernelData;
  g_new.esp0 = address(g_new_stack) + sizeof g_new_stack;
  g_new.io_map = sizeof g_new;
  slot(kTask) = make_descriptor(address(&g_new), sizeof g_new - 1, 0x89, 0);
  const Caught c = run(jump_task);
  check_caught(c, 13, 0, nullptr, "JMP to a task in v8086 mode, where HLT is #GP(0)");
  check_equal(c.eip, 0, "at its first instruction");
  check_equal(c.eflags & kEflagsVm, kEflagsVm, "VM is set");
  check(c.cs == 0x800 && c.frame.v86_ds == 0xb00 && c.frame.v86_es == 0xa00, "its segments");
  check_equal(c.frame.eax, 0x1234, "its registers");
  u32 tr;
  asm volatile("str %0" : "=r"(tr));
  check_equal(tr & 0xffff, kTask, "TR");
  slot(kTssSelector) &= ~(2ull << 40);
  asm volatile("ltr %w0\n clts" ::"r"(u32{kTssSelector}));
}

}  // namespace

void guest_main() {
  test_286();
  test_v86();
}
