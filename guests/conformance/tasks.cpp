// Guest: hardware task switches by CALL, JMP, INT, IRET and exceptions: nesting, busy flags, errors (SDM vol.
// 3A 7).
#include "runtime/paging.h"

namespace {

constexpr u16 kGate = 0x30, kTask = 0x38, kThird = 0x40, kLdt = 0x48, kOdd = 0x50, kRoot = kTssSelector;
constexpr u32 kNt = 0x4000;
Tss g_other, g_third;
alignas(16) u8 g_other_stack[4096];
alignas(16) u8 g_third_stack[4096];
alignas(8) u64 g_ldt[4];
u64& slot(u16 selector) { return g_gdt[selector >> 3]; }
u32 address(const volatile void* p) { return reinterpret_cast<u32>(p); }
u8 type_of(u16 selector) { return static_cast<u8>(slot(selector) >> 40) & 0x1f; }
void set_type(u16 selector, u8 type) {
  slot(selector) = (slot(selector) & ~(0x1full << 40)) | static_cast<u64>(type) << 40;
}

extern "C" char returning_task[], jumping_task[], error_task[], fault_task[], nesting_task[], user_task[],
    plain_task[];
asm(R"(
        .pushsection .text
returning_task:                         # notes what it finds, and goes back by IRET
1:      incl    g_task_runs
        pushfl
        popl    g_task_flags
        movl    %cr0, %eax
        movl    %eax, g_task_cr0
        strw    g_task_tr
        movl    g_tss, %eax
        iretl
        jmp     1b
jumping_task:                           # goes back by JMP
1:      incl    g_task_runs
        pushfl
        popl    g_task_flags
        ljmp    $0x28, $0
        jmp     1b
error_task:                             # of an exception: pops its code, moves the interrupted task on
        popl    g_task_error
        incl    g_task_runs
        movl    g_task_resume, %eax
        movl    %eax, g_tss+32
        iretl
        jmp     error_task
fault_task:                             # of a fault in a switch: notes the code, and goes back to the first task
        popl    g_task_error
        incl    g_task_runs
        ljmp    $0x28, $0
        jmp     fault_task
nesting_task:                           # calls a third
        incl    g_task_runs
        lcall   $0x40, $0
        iretl
        jmp     nesting_task
user_task:                              # at CPL 3
        incl    g_task_runs
        int     $0x80
plain_task:
        nop
        int     $0x80
        .popsection
)");
SNIPPET(call_task, "", "lcall $0x38, $0", "clts");
SNIPPET(jump_task, "", "ljmp $0x38, $0", "clts");
SNIPPET(call_gate, "", "lcall $0x30, $0", "clts");
SNIPPET(int_task, "", "int $0x41", "clts");
SNIPPET(user_call_task, "", "lcall $0x3b, $0", "int $0x80");
SNIPPET(user_call_gate, "", "lcall $0x33, $0", "int $0x80");
SNIPPET(user_int, "", "int $0x41", "int $0x80");
SNIPPET(nested_iret, "pushfl\n orl $0x4000, (%esp)\n popfl", "iretl", "");
SNIPPET(load_tr, "movl 4(%esp), %eax", "ltr %ax", "");
SNIPPET(load_ldt, "movl 4(%esp), %eax", "lldt %ax", "");
SNIPPET(raise_np, "movl $0x50, %eax", "movl %eax, %fs", "");

void start_tss(Tss& tss, const void* eip, u8* stack) {
  memory_set(&tss, 0, sizeof tss);
  tss.eip = address(eip);
  tss.eflags = 2;
  tss.esp = address(stack) + 4096;
  tss.cs = kKernelCode;
  tss.es = tss.ss = tss.ds = tss.fs = tss.gs = kKernelData;
  tss.esp0 = g_tss.esp0;
  tss.ss0 = kKernelData;
  tss.io_map = sizeof tss;
  tss.cr3 = read_cr3();
}
void prepare(const void* eip) {
  start_tss(g_other, eip, g_other_stack);
  slot(kTask) = make_descriptor(address(&g_other), sizeof g_other - 1, 0x89, 0);
}
// After a task that didn't return: back to the first one's TSS.
void restore_root() {
  set_type(kRoot, 9);
  asm volatile("ltr %w0\n clts" ::"r"(u32{kRoot}));
  set_type(kTask, 9);
}

}  // namespace

extern "C" {
u32 g_task_runs, g_task_flags, g_task_cr0, g_task_error, g_task_resume;
u16 g_task_tr;
}

namespace {

void test_call() {
  prepare(returning_task);
  u32 magic = 0x600d;
  asm volatile("lcall $0x38, $0" : "+b"(magic)::"eax", "memory", "cc");
  check_equal(g_task_runs, 1, "CALL to a TSS switches");
  check_equal(magic, 0x600d, "registers come back");
  check_equal(g_task_flags & kNt, kNt, "NT in the new task");
  check_equal(g_task_cr0 & 8, 8, "CR0.TS is set");
  check_equal(g_task_tr, kTask, "TR");
  check_equal(g_other.link, kRoot, "back link");
  check_equal(type_of(kTask), 9, "not busy after IRET");
  check_equal(type_of(kRoot), 11, "the old task stays busy");
  check_equal(read_cr0() & 8, 8, "IRET to a task sets TS too");
  asm volatile("clts");
  check_none(run(call_task), "CALL again");
  check_equal(g_task_runs, 2, "the task goes on where it was");
  slot(kGate) = make_gate(kTask, 0, 0x85);
  check_none(run(call_gate), "CALL by a task gate");
  check_equal(g_task_runs, 3, "it ran");
  g_idt[0x41] = make_gate(kTask, 0, 0x85);
  check_none(run(int_task), "INT by a task gate");
  check_equal(g_task_runs, 4, "it ran, too");
  check_equal(g_tss.eip, address(int_task_next), "the old task's EIP is the next instruction");
}

void test_jump() {
  prepare(jumping_task);
  g_task_runs = 0;
  check_none(run(jump_task), "JMP to a TSS and back");
  check_equal(g_task_runs, 1, "the task ran");
  check_equal(g_task_flags & kNt, 0, "JMP sets no NT");
  check_equal(g_other.link, 0, "and no back link");
  check_equal(type_of(kTask), 9, "JMP leaves the old task available");
  check_equal(type_of(kRoot), 11, "and makes the new one busy");
  start_tss(g_third, returning_task, g_third_stack);
  slot(kThird) = make_descriptor(address(&g_third), sizeof g_third - 1, 0x89, 0);
  prepare(nesting_task);
  g_task_runs = 0;
  check_none(run(call_task), "tasks nested twice");
  check_equal(g_task_runs, 2, "both ran");
  check_equal(g_third.link, kTask, "the inner one's link");
}

void test_errors() {
  prepare(returning_task);
  set_type(kTask, 11);
  check_caught(run(call_task), 13, kTask, call_task_at, "#GP: CALL to a busy TSS");
  check_caught(run(jump_task), 13, kTask, jump_task_at, "#GP: JMP to a busy TSS");
  slot(kGate) = make_gate(kTask, 0, 0x85);
  check_caught(run(call_gate), 13, kTask, call_gate_at, "#GP: a busy TSS by a gate");
  slot(kTask) = make_descriptor(address(&g_other), sizeof g_other - 1, 0x09, 0);
  check_caught(run(call_task), 11, kTask, call_task_at, "#NP: an absent TSS");
  slot(kTask) = make_descriptor(address(&g_other), 0x66, 0x89, 0);
  check_caught(run(call_task), 10, kTask, call_task_at, "#TS: too small a TSS");
  slot(kTask) = make_descriptor(address(&g_other), 0x67, 0x89, 0);
  check_none(run(call_task), "a TSS of just 104 bytes");
  check_caught(run_user(user_call_task), 13, kTask, user_call_task_at, "#GP: a TSS of DPL 0 from CPL 3");
  check_caught(run_user(user_call_gate), 13, kGate, user_call_gate_at,
               "#GP: a task gate of DPL 0 from CPL 3");
  check_caught(run_user(user_int), 13, 0x41 * 8 + 2, user_int_at,
               "#GP: INT by a task gate of DPL 0 from CPL 3");
  slot(kGate) = make_gate(kTask, 0, 0xe5);
  check_caught(run_user(user_call_gate), 0x80, 0, nullptr, "a task gate of DPL 3 from CPL 3");
  asm volatile("clts");
  slot(kGate) = make_gate(kTask, 0, 0x05);
  check_caught(run(call_gate), 11, kGate, call_gate_at, "#NP: an absent task gate");
  slot(kGate) = make_gate(kKernelData, 0, 0x85);
  check_caught(run(call_gate), 13, kKernelData, call_gate_at, "#GP: a task gate to data");
  slot(kGate) = make_gate(kTask | 4, 0, 0x85);
  check_caught(run(call_gate), 13, kTask | 4, call_gate_at, "#GP: a task gate to an LDT's selector");
  // IRET with NT: the link must name a busy TSS.
  g_tss.link = kTask;
  check_caught(run(nested_iret), 10, kTask, nested_iret_at, "#TS: IRET to a task that isn't busy");
  g_tss.link = kKernelData;
  check_caught(run(nested_iret), 10, kKernelData, nested_iret_at, "#TS: IRET to data");
  g_tss.link = 0;
  check_caught(run(nested_iret), 10, 0, nested_iret_at, "#TS: IRET to null");
}

// Switches by JMP to a task with one bad field. The fault belongs to the new task: its link and EIP say so.
// The handler is a task, because the segments of the new one may not be usable (SDM vol. 3A 6.15, interrupt
// 10).
void check_bad(u32 Tss::*field, u32 value, u32 vector, u32 error, const char* name) {
  prepare(plain_task);
  g_other.*field = value;
  start_tss(g_third, fault_task, g_third_stack);
  slot(kThird) = make_descriptor(address(&g_third), sizeof g_third - 1, 0x89, 0);
  const u64 saved = g_idt[vector];
  g_idt[vector] = make_gate(kThird, 0, 0x85);
  g_task_runs = 0;
  Caught c = run(jump_task);
  g_idt[vector] = saved;
  if (!c.any && g_task_runs == 1 && g_third.link == kTask) {
    c.any = true;
    c.vector = vector;
    c.error = g_task_error;
    c.eip = g_other.eip;
  }
  check_caught(c, vector, error, plain_task, name);
  restore_root();
}

void test_bad_state() {
  slot(kOdd) = make_descriptor(0, 0xfffff, 0x13, 0xc);  // absent data
  check_bad(&Tss::ldt, kKernelData, 10, kKernelData, "#TS: LDT of data");
  check_bad(&Tss::cs, 0, 10, 0, "#TS(0): null CS");
  check_bad(&Tss::cs, kKernelData, 10, kKernelData, "#TS: CS of data");
  check_bad(&Tss::ss, 0, 10, 0, "#TS(0): null SS");
  check_bad(&Tss::ss, kUserData, 10, kUserData & ~3, "#TS: SS of another level");
  check_bad(&Tss::ss, kOdd, 12, kOdd, "#SS: SS absent");
  check_bad(&Tss::ds, kOdd, 11, kOdd, "#NP: DS absent");
  check_bad(&Tss::es, 0x7f8, 10, 0x7f8, "#TS: ES past the GDT");
  check_bad(&Tss::fs, kRoot, 10, kRoot, "#TS: FS of a TSS");
  slot(kOdd) = make_descriptor(0, 0xfffff, 0x1b, 0xc);
  check_bad(&Tss::cs, kOdd, 11, kOdd, "#NP: CS absent");
}

void test_new_state() {
  prepare(plain_task);
  g_other.trap = 1;
  write_dr6(0);
  Caught c = run(jump_task);
  check_caught(c, 1, 0, plain_task, "#DB: T in the new TSS");
  check_equal(c.dr6 & 0x8000, 0x8000, "DR6.BT");
  restore_root();
  write_dr6(0);
  prepare(user_task);
  g_other.cs = kUserCode;
  g_other.ss = g_other.ds = g_other.es = kUserData;
  g_other.fs = g_other.gs = 0;
  g_other.eflags = 0x202;
  g_task_runs = 0;
  c = run(jump_task);
  check_caught(c, 0x80, 0, nullptr, "a task at CPL 3");
  check(c.cs == kUserCode && c.ss == kUserData && (c.eflags & 0x200) != 0, "its CS, SS and flags");
  check_equal(g_task_runs, 1, "its data segment");
  restore_root();
  // An LDT of the task's own.
  g_ldt[1] = make_descriptor(address(&g_task_error), 3, 0x93, 4);
  slot(kLdt) = make_descriptor(address(g_ldt), sizeof g_ldt - 1, 0x82, 0);
  prepare(plain_task);
  g_other.ldt = kLdt;
  g_other.fs = 0xc;
  c = run(jump_task);
  check_caught(c, 0x80, 0, nullptr, "a task with an LDT");
  check_equal(c.frame.fs & 0xffff, 0xc, "its FS");
  u32 ldt;
  asm volatile("sldt %0" : "=r"(ldt));
  check_equal(ldt & 0xffff, kLdt, "LDTR comes from the TSS");
  asm volatile("lldt %w0" ::"r"(0));
  restore_root();
}

void test_breakpoints() {
  prepare(returning_task);
  write_dr0(address(plain_task));
  write_dr7(0x403);
  run(call_task);
  check_equal(read_dr7() & 3, 2, "a task switch clears DR7's local enables");
  write_dr7(0x400);
}

void test_exceptions() {
  prepare(error_task);
  g_task_runs = 0;
  const u64 np = g_idt[11], df = g_idt[8];
  g_idt[11] = make_gate(kTask, 0, 0x85);
  slot(kOdd) = make_descriptor(0, 0xfffff, 0x13, 0xc);
  g_task_resume = address(raise_np_next);
  check_none(run(raise_np), "#NP by a task gate");
  check_equal(g_task_runs, 1, "its task ran");
  check_equal(g_task_error, kOdd, "the error code is on its stack");
  asm volatile("clts");
  g_idt[11] = 0;
  g_idt[8] = make_gate(kTask, 0, 0x85);
  check_none(run(raise_np), "#DF by a task gate");
  check_equal(g_task_runs, 2, "its task ran, too");
  check_equal(g_task_error, 0, "#DF's error code");
  asm volatile("clts");
  g_idt[11] = np;
  g_idt[8] = df;
}

void test_ltr() {
  check_caught(run(load_tr, kRoot), 13, kRoot, load_tr_at, "#GP: LTR of a busy TSS");
  check_caught(run(load_tr, 0), 13, 0, load_tr_at, "#GP(0): LTR of null");
  check_caught(run(load_tr, kKernelData), 13, kKernelData, load_tr_at, "#GP: LTR of data");
  slot(kTask) = make_descriptor(address(&g_other), sizeof g_other - 1, 0x09, 0);
  check_caught(run(load_tr, kTask), 11, kTask, load_tr_at, "#NP: LTR of an absent TSS");
  check_caught(run(load_tr, 0x7f8), 13, 0x7f8, load_tr_at, "#GP: LTR past the GDT");
  prepare(returning_task);
  check_none(run(load_tr, kTask), "LTR");
  check_equal(type_of(kTask), 11, "LTR makes the TSS busy");
  restore_root();
  slot(kLdt) = make_descriptor(address(g_ldt), sizeof g_ldt - 1, 0x02, 0);
  check_caught(run(load_ldt, kLdt), 11, kLdt, load_ldt_at, "#NP: LLDT of an absent LDT");
  check_none(run(load_ldt, 0), "LLDT of null");
  check_caught(run(load_ldt, kRoot), 13, kRoot, load_ldt_at, "#GP: LLDT of a TSS");
}

// CR3 is the task's own, if paging is on.
void test_address_spaces() {
  enable_paging();
  g_tss.cr3 = read_cr3();
  prepare(returning_task);
  alignas(4096) static u32 directory[1024];
  memory_copy(directory, g_page_directory, sizeof directory);
  g_other.cr3 = address(directory);
  g_task_runs = 0;
  check_none(run(call_task), "a task with another CR3 and back");
  check_equal(g_task_runs, 1, "it ran there");
  check_equal(read_cr3(), address(g_page_directory), "CR3 comes back");
  check((directory[0] & kAccessed) != 0, "its own tables were walked");
  disable_paging();
  asm volatile("clts");
}

}  // namespace

void guest_main() {
  test_call();
  test_jump();
  test_errors();
  test_bad_state();
  test_new_state();
  test_breakpoints();
  test_exceptions();
  test_ltr();
  test_address_spaces();
}
