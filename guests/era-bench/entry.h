// What a trap leaves on the kernel's stack, and the ways in and out that entry.S has.
#pragma once

#include "runtime/types.h"

struct TrapFrame {
  u32 edi, esi, ebp, unused, ebx, edx, ecx, eax;  // PUSHA
  u32 ds, es;
  u32 vector, error, eip, cs, eflags;
  u32 esp, ss;  // from CPL 3 only
};

constexpr u32 kTrapStubs = 48, kTrapStubBytes = 16;
constexpr u8 kCallVector = 0x80, kEmptyVector = 0x81;

extern "C" {
extern char trap_stubs[];     // of vectors 0 to 47
extern char call_stub[];      // int 0x80
extern char system_enter[];   // SYSENTER: EAX call, EBX and ESI arguments, ECX ESP and EDX EIP to return to
extern char empty_handler[];  // IRET and nothing else
extern char return_from_trap[];  // to what the TrapFrame at ESP says
void switch_stacks(u32* save, u32 load);
// C++'s part.
void handle_trap(TrapFrame* frame);
void handle_call(TrapFrame* frame);
}
