// A program of era-bench, where era-bench is a program itself: a call.
#pragma once

#include "runtime/types.h"

using Program = u32 (*)(u32);
inline u32 run_program(Program program, u32 argument) { return program(argument); }
