// The scheduler: round robin without time slices. A process runs until it yields, waits or ends.
#include "era-bench/process.h"

#include "era-bench/output.h"
#include "era-bench/user.h"
#include "runtime/memory.h"

namespace {

constexpr u32 kProcesses = 16;
Process g_processes[kProcesses];

// What switch_stacks() pops: EDI, ESI, EBX, EBP, and where it returns to.
struct SwitchFrame {
  u32 edi, esi, ebx, ebp, eip;
};

// The first ready process after the current one, in the order of the table.
Process& next_ready() {
  const u32 current = static_cast<u32>(g_current - g_processes);
  for (u32 i = 1; i <= kProcesses; ++i) {
    Process& candidate = g_processes[(current + i) % kProcesses];
    if (candidate.state == State::kReady) return candidate;
  }
  panic("all processes wait");
}

// The kernel is in every address space, so the root may change before the stack does.
void switch_to(Process& next) {
  if (&next == g_current) return;
  Process& last = *g_current;
  g_current = &next;
  ops::switch_process(next.space.root, next.kernel_stack + kPage);
  switch_stacks(&last.kernel_esp, next.kernel_esp);
}

void free_process(Process& process) {
  free_address_space(process.space);
  release_frame(process.kernel_stack);
  process.state = State::kUnused;
}

}  // namespace

Process* g_current;

void start_processes(const AddressSpace& space) {
  g_current = &g_processes[0];
  g_current->state = State::kReady;
  g_current->space = space;
  g_current->kernel_stack = allocate_frame();
}

Process& claim_process() {
  for (Process& process : g_processes) {
    if (process.state != State::kUnused) continue;
    process.state = State::kWaiting;
    process.parent = g_current;
    process.kernel_stack = allocate_frame();
    process.resume = 0;
    return process;
  }
  panic("too many processes");
}

TrapFrame& frame_of(Process& process) {
  return *reinterpret_cast<TrapFrame*>(process.kernel_stack + kPage - sizeof(TrapFrame));
}

// Its first switch "returns" to the way out of a trap, whose frame is ready on its stack.
void make_runnable(Process& process) {
  const u32 esp = process.kernel_stack + kPage - sizeof(TrapFrame) - sizeof(SwitchFrame);
  *reinterpret_cast<SwitchFrame*>(esp) = {0, 0, 0, 0, reinterpret_cast<u32>(return_from_trap)};
  process.kernel_esp = esp;
  process.state = State::kReady;
}

// The stack's last page holds the argument, above the address of leave_program() as if that had called.
Process& create_process(Program program, u32 argument) {
  Process& process = claim_process();
  process.space = make_address_space();
  const u32 stack = allocate_zeroed_frame();
  *page_entry(process.space, kStackEnd - kPage, true) = ops::make_entry(stack, kPresent | kWritable | kUser);
  adopt_address_space(process.space);
  u32* top = reinterpret_cast<u32*>(stack + kPage - 16);
  top[1] = reinterpret_cast<u32>(leave_program);
  top[2] = argument;
  TrapFrame& frame = frame_of(process);
  memory_set(&frame, 0, sizeof frame);
  frame.ds = frame.es = frame.ss = ops::kUserData;
  frame.cs = ops::kUserCode;
  frame.eflags = 0x202;
  frame.eip = reinterpret_cast<u32>(program);
  frame.esp = kStackEnd - 12;
  make_runnable(process);
  return process;
}

bool yield() {
  Process& next = next_ready();
  const bool other = &next != g_current;
  switch_to(next);
  return other;
}

void end_current(u32 value) {
  g_current->value = value;
  g_current->state = State::kEnded;
  if (g_current->parent->state == State::kWaiting) g_current->parent->state = State::kReady;
  yield();
  panic("an ended process ran");
}

u32 wait_for_child() {
  for (;;) {
    bool any = false;
    for (Process& process : g_processes) {
      if (process.parent != g_current || process.state == State::kUnused) continue;
      any = true;
      if (process.state != State::kEnded) continue;
      free_process(process);
      return process.value;
    }
    if (!any) return ~0u;
    g_current->state = State::kWaiting;
    yield();
  }
}

u32 run_program(Program program, u32 argument) {
  create_process(program, argument);
  return wait_for_child();
}
