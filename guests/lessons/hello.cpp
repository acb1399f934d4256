// Guest: the smallest one: a line of text, a divide error caught, and a visit to CPL 3.
#include "runtime/runtime.h"

SNIPPET(divide_by_zero, "xorl %ecx, %ecx", "divl %ecx", "");
SNIPPET(call_kernel, "movl $42, %eax", "int $0x80", "");

void guest_main() {
  print("Hello from CPL 0\n");
  const Caught divide = run(divide_by_zero);
  print("DIV by zero raised vector ");
  print_decimal(divide.vector);
  print(" at ");
  print_hex(divide.eip);
  print("\n");
  const Caught call = run_user(call_kernel);
  print("CPL 3 called with EAX ");
  print_decimal(call.frame.eax);
  print("\n");
}
