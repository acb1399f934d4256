// Real mode for guests: code that runs at 0900:0000 until an interrupt or exception brings it back.
#pragma once

#include "runtime/runtime.h"

// 16-bit code: from name to name_end; name_at is the instruction under test.
#define REAL_CODE(name, before, insn, after)                                                 \
  extern "C" char name[], name##_at[], name##_next[], name##_end[];                          \
  asm(".pushsection .text\n.code16\n" #name ":\n" before "\n" #name "_at:\n" insn "\n" #name \
      "_next:\n" after "\nint $0x60\n" #name "_end:\n.code32\n.popsection\n")

struct RealResult {
  u32 eax, ebx, ecx, edx, esi, edi, ebp, esp;
  u16 vector, ip, cs, flags;  // what the interrupt pushed
  u16 ds, es, ss, fs, gs, unused;
};

constexpr u32 kRealCode = 0x9000, kRealData = 0xa000;  // CS 0900, DS and ES 0A00; SS:SP 0000:6F00; FS, GS 0

// All vectors lead back; the registers are 0 at first. IVT and trampoline stand below kRealCode.
RealResult run_real(const char* start, const char* end);
#define RUN_REAL(name) run_real(name, name##_end)
// The vector, and the offset of the saved IP in the code.
void check_real(const RealResult& result, u32 vector, const char* start, const char* at, const char* name);
