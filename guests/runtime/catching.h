// What a guest's code raised: snippets with labels, and their run until they return or raise an exception.
//
// The runtime for bare hardware (runtime.h) and the one for Xen (xen-runtime/xen.h) each implement it.
#pragma once

#include "runtime/types.h"

// A code snippet: `before`, then the instruction under test at NAME_at, then `after` from NAME_next, and RET.
#define SNIPPET(name, before, insn, after)                                                        \
  extern "C" void name(u32);                                                                      \
  extern "C" char name##_at[], name##_next[], name##_end[];                                       \
  asm(".pushsection .text\n.globl " #name ", " #name "_at, " #name "_next, " #name "_end\n" #name \
      ":\n" before "\n" #name "_at:\n" insn "\n" #name "_next:\n" after "\n" #name                \
      "_end:\n ret\n.popsection\n")

struct Frame {  // as the entry of a vector leaves it
  u32 ds, es, fs, gs;
  u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;
  u32 vector, error, eip, cs, eflags;
  u32 esp, ss;                         // if the privilege changed
  u32 v86_es, v86_ds, v86_fs, v86_gs;  // if it came from v8086 mode
};

struct Caught {
  bool any;
  u32 vector, error, eip, cs, eflags, esp, ss, cr2, dr6;
  Frame frame;
};

extern "C" int run_catching(void (*code)(u32), u32 argument);
extern "C" void enter_user(u32 eip, u32 esp, u32 eflags);
extern "C" u32 catch_esp;

// Runs code at the kernel's level (or at CPL 3 on a stack of its own) until it returns or raises an
// exception. At CPL 3 code must end in an exception; INT 80h will do.
Caught run(void (*code)(u32), u32 argument = 0);
Caught run_user(void (*code)(u32), u32 eflags = 2, u32 esp = 0);
u32 user_stack_top();

// A handler that is asked first; true: handled, go on where the frame says.
using Handler = bool (*)(Frame& frame);
void set_handler(Handler handler);
