// Checks of a test guest: each prints one line, "ok NAME", "FAIL NAME -- got X, wanted Y" or "skip NAME --
// reason".
//
// A name stands for one check: it is unique in its guest, and the same on every machine.
// tests/conformance/run reads the lines.
#pragma once

#include "runtime/types.h"

struct Caught;

void check(bool good, const char* name);
void check_equal(u32 got, u32 wanted, const char* name);
// Vector, error code, and the saved EIP (any if null).
void check_caught(const Caught& caught, u32 vector, u32 error, const void* eip, const char* name);
// The same of a page fault, and CR2.
void check_page_fault(const Caught& caught, u32 error, const void* eip, u32 address, const char* name);
// The code ran to its end, and raised nothing.
void check_none(const Caught& caught, const char* name);

// What the checks that follow, as long as this object lives, are about. On a machine that lacks it they print
// "skip", and run(), run_user() and run_v86() run nothing.
class Requirement {
 public:
  Requirement(bool met, const char* reason);
  ~Requirement();

 private:
  const char* outer_;
};
bool skipping();

// Prints the count if there were checks, and returns the number of failures.
u32 conclude_checks();
