// Processes and their scheduler: each has an address space, a kernel stack, and a parent that waits for it.
#pragma once

#include "era-bench/address_space.h"
#include "era-bench/entry.h"

enum class State : u8 { kUnused, kReady, kWaiting, kEnded };

struct Process {
  State state = State::kUnused;
  Process* parent = nullptr;
  AddressSpace space;
  u32 kernel_esp = 0, kernel_stack = 0;  // where it was left; its page
  u32 resume = 0;                        // where to go after an exception (rows_boundary.cpp), or 0
  u32 value = 0;                         // what it ended with
};

// What runs now. The first process is the kernel's own thread, in which the rows run.
extern Process* g_current;
void start_processes(const AddressSpace& space);

using Program = u32 (*)(u32);
// A child of g_current that will call program(argument) at CPL 3.
Process& create_process(Program program, u32 argument);
// A process without address space or stack frame, for fork.cpp.
Process& claim_process();
TrapFrame& frame_of(Process& process);
void make_runnable(Process& process);

// To the next ready process; false if there is no other.
bool yield();
[[noreturn]] void end_current(u32 value);
// Waits for any child and returns what it ended with.
u32 wait_for_child();
// Creates a process and waits for it.
u32 run_program(Program program, u32 argument);
