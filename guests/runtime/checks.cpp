// What a check prints, and the count.
#include "runtime/checks.h"

#include "runtime/catching.h"
#include "runtime/console.h"

namespace {

u32 g_good, g_failed, g_skipped;
const char* g_lacking;

void skip(const char* name) {
  ++g_skipped;
  print("skip ");
  print(name);
  print(" -- ");
  print(g_lacking);
  print("\n");
}

void pass(const char* name) {
  ++g_good;
  print("ok ");
  print(name);
  print("\n");
}

void fail(const char* name) {
  ++g_failed;
  print("FAIL ");
  print(name);
  print(" -- ");
}

void print_caught(u32 vector, u32 error, u32 eip) {
  print("vector ");
  print_hex(vector);
  print(" error ");
  print_hex(error);
  print(" eip ");
  print_hex(eip);
}

bool matches(const Caught& c, u32 vector, u32 error, const void* eip) {
  return c.any && c.vector == vector && c.error == error &&
         (eip == nullptr || c.eip == reinterpret_cast<u32>(eip));
}

void fail_caught(const Caught& c, u32 vector, u32 error, const void* eip, const char* name) {
  fail(name);
  print("got ");
  if (c.any)
    print_caught(c.vector, c.error, c.eip);
  else
    print("nothing");
  print(", wanted ");
  print_caught(vector, error, reinterpret_cast<u32>(eip));
}

}  // namespace

void check(bool good, const char* name) {
  if (skipping()) return skip(name);
  if (good) return pass(name);
  fail(name);
  print("not so\n");
}

void check_equal(u32 got, u32 wanted, const char* name) {
  if (skipping()) return skip(name);
  if (got == wanted) return pass(name);
  fail(name);
  print("got ");
  print_hex(got);
  print(", wanted ");
  print_hex(wanted);
  print("\n");
}

void check_caught(const Caught& caught, u32 vector, u32 error, const void* eip, const char* name) {
  if (skipping()) return skip(name);
  if (matches(caught, vector, error, eip)) return pass(name);
  fail_caught(caught, vector, error, eip, name);
  print("\n");
}

void check_page_fault(const Caught& caught, u32 error, const void* eip, u32 address, const char* name) {
  if (skipping()) return skip(name);
  constexpr u32 kPageFault = 14;
  if (matches(caught, kPageFault, error, eip) && caught.cr2 == address) return pass(name);
  fail_caught(caught, kPageFault, error, eip, name);
  print("; CR2 got ");
  print_hex(caught.cr2);
  print(", wanted ");
  print_hex(address);
  print("\n");
}

void check_none(const Caught& caught, const char* name) {
  if (skipping()) return skip(name);
  if (!caught.any) return pass(name);
  fail(name);
  print("got ");
  print_caught(caught.vector, caught.error, caught.eip);
  print(", wanted nothing\n");
}

Requirement::Requirement(bool met, const char* reason) : outer_(g_lacking) {
  if (!met && g_lacking == nullptr) g_lacking = reason;
}
Requirement::~Requirement() { g_lacking = outer_; }
bool skipping() { return g_lacking != nullptr; }

u32 conclude_checks() {
  if (g_good + g_failed + g_skipped == 0) return 0;
  print("checks ");
  print_decimal(g_good + g_failed + g_skipped);
  print(" failed ");
  print_decimal(g_failed);
  print(" skipped ");
  print_decimal(g_skipped);
  print("\n");
  return g_failed;
}
