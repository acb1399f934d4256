// Guest: what Xen ends a domain for. The command line names the deed; whoever survives it says so.
#include "xen-conformance/forge.h"

namespace {

constexpr u32 kNowhere = 0x90000000;

bool is(const char* name) {
  const char* line = xen::command_line();
  for (; *name != 0; ++name, ++line)
    if (*name != *line) return false;
  return *line == 0 || *line == ' ';
}

// A frame for HYPERVISOR_iret, whose stub pushes EAX.
[[noreturn]] void go(u32 eip, u32 cs, u32 eflags, u32 esp, u32 ss) {
  asm volatile("pushl %4\n pushl %3\n pushl %2\n pushl %1\n pushl %0\n jmp hypercall_page + %c5" ::"r"(eip),
               "r"(cs), "r"(eflags), "r"(esp), "r"(ss), "i"(__HYPERVISOR_iret * 32)
               : "memory");
  __builtin_unreachable();
}

void here() {
  print("survived\n");
  xen::end(true);
}
const u32 kHere = reinterpret_cast<u32>(here);

void clear_gates() {
  xen::set_trap_table(nullptr);
  asm volatile("ud2");
}

}  // namespace

void guest_main() {
  print("# ");
  print(xen::command_line());
  print("\n");
  if (is("iret-ring0")) go(kHere, 0xe008, 2, 0, 0);
  if (is("iret-no-stack"))
    asm volatile("movl %0, %%esp\n jmp hypercall_page + %c1" ::"r"(kNowhere), "i"(__HYPERVISOR_iret * 32));
  if (is("iret-hole"))
    asm volatile("movl %0, %%esp\n jmp hypercall_page + %c1" ::"r"(0xfffffff8), "i"(__HYPERVISOR_iret * 32));
  if (is("no-handler")) clear_gates();
  if (is("handler-nowhere")) {
    const trap_info_t traps[] = {{6, 4, FLAT_KERNEL_CS, kNowhere}, {14, 4, FLAT_KERNEL_CS, kNowhere}, {}};
    xen::set_trap_table(traps);
    asm volatile("ud2");
  }
  if (is("handler-ring0")) {
    const trap_info_t traps[] = {{6, 4, 0xe008, kHere}, {}};
    xen::set_trap_table(traps);
    asm volatile("ud2");
  }
  if (is("stack-nowhere")) {
    xen::stack_switch(FLAT_KERNEL_SS, kNowhere);
    run_user([](u32) { asm volatile("int $0x80"); });
  }
  if (is("stack-ring0")) {
    xen::stack_switch(0xe010, xen::address(xen::take_page()) + xen::kPage);
    run_user([](u32) { asm volatile("int $0x80"); });
  }
  if (is("stack-hole")) {
    xen::stack_switch(FLAT_KERNEL_SS, MACH2PHYS_VIRT_START + 0x1000);
    run_user([](u32) { asm volatile("int $0x80"); });
  }
  if (is("crash")) xen::shut_down(SHUTDOWN_crash);
  print("survived\n");
  xen::end(true);
}
