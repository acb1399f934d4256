// What era-bench prints: one line a result.
//
//   era NAME UNIT MINIMUM MEDIAN COUNT     UNIT: cycles (of the TSC) or ns, for one operation; COUNT of
//   samples era NAME total MS COUNT               all of a row's work era NAME checksum HEX of what a compute
//   row computed era NAME skip REASON era NAME failed REASON # TEXT                                 for the
//   reader
#pragma once

#include "runtime/types.h"

class Sampler;

void report(const char* name, Sampler& sampler);
void report_total(const char* name, u64 cycles, u32 operations);
void report_checksum(const char* name, u32 value);
void report_text(const char* name, const char* kind, const char* text);
void report_fact(const char* name, u32 value);
// A row failed: the guest will end with status 3.
void report_failure(const char* name, const char* reason);
bool anything_failed();

[[noreturn]] void panic(const char* text);
[[noreturn]] void panic_trap(u32 vector, u32 error, u32 eip, u32 linear);
