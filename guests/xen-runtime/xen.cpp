// Start and end of a paravirtual guest, its console, and its traps.
#include "xen-runtime/xen.h"

#include "xen-runtime/ring_console.h"

extern "C" {
extern char xen_trap_entries[], xen_call_entry[], xen_event_entry[], xen_failsafe_entry[];
extern char text_begin[], text_end[];
}

namespace xen {

start_info_t* g_start;
shared_info_t* g_shared;

namespace {

Caught g_caught;
Handler g_handler;
alignas(4096) u8 g_shared_page[kPage];
alignas(4096) u8 g_kernel_stack[8 * kPage];
alignas(4096) u8 g_user_stack[4 * kPage];
bool g_user_may_run, g_uses_ring;

u32 page_after(u32 address_of_last) { return (address_of_last + kPage) & ~(kPage - 1); }

// The builder packs its elements, but which come last it may choose (xen.h, "Start-of-day memory layout").
u32 end_of_bootstrap(u32 boot_esp) {
  u32 end = (boot_esp + kPage - 1) & ~(kPage - 1);
  const u32 others[] = {address(g_start),
                        g_start->mfn_list + g_start->nr_pages * sizeof(u32) - 1,
                        g_start->pt_base + g_start->nr_pt_frames * kPage - 1,
                        pfn_of(g_start->store_mfn) * kPage,
                        pfn_of(g_start->console.domU.mfn) * kPage,
                        g_start->mod_start + g_start->mod_len};
  for (const u32 last : others)
    if (last < g_start->nr_pages * kPage && page_after(last) > end) end = page_after(last);
  return end;
}

// Events are masked on each entry, as by an interrupt gate.
void start_traps() {
  trap_info_t traps[34] = {};
  for (u32 i = 0; i < 32; ++i) {
    const u8 level = i == 3 || i == 4 ? 3 : 0;
    traps[i] = {static_cast<u8>(i), static_cast<u8>(4 | level), FLAT_KERNEL_CS,
                address(xen_trap_entries) + 16 * i};
  }
  traps[32] = {0x80, 4 | 3, FLAT_KERNEL_CS, address(xen_call_entry)};
  if (set_trap_table(traps) != 0) fail("set_trap_table");
  if (set_callbacks(address(xen_event_entry), address(xen_failsafe_entry)) != 0) fail("set_callbacks");
}

void map_shared_info() {
  g_shared = reinterpret_cast<shared_info_t*>(g_shared_page);
  if (update_va_mapping(address(g_shared_page), u64{g_start->shared_info} | kPresent | kWritable,
                        UVMF_INVLPG) != 0)
    fail("shared_info can't be mapped");
}

// All of a test guest's code, and one stack, are its program's too.
void let_user_run() {
  if (g_user_may_run) return;
  g_user_may_run = true;
  for (char* page = text_begin; page < text_end; page += kPage) map_page(page, kPresent | kUser);
  for (u32 i = 0; i < sizeof g_user_stack; i += kPage)
    map_page(g_user_stack + i, kPresent | kWritable | kUser);
}

}  // namespace

const char* command_line() { return reinterpret_cast<const char*>(g_start->cmd_line); }

void use_console_ring() { g_uses_ring = true; }

void shut_down(u32 reason) {
  const sched_shutdown_t shutdown{reason};
  sched_op(SCHEDOP_shutdown, &shutdown);
  for (;;) sched_op(SCHEDOP_yield, nullptr);
}

void end(bool good) { shut_down(good ? SHUTDOWN_poweroff : SHUTDOWN_crash); }

void fail(const char* text) {
  print("xen-runtime: ");
  print(text);
  print("\n");
  end(false);
}

}  // namespace xen

void print(const char* text) {
  if (xen::g_uses_ring) return xen::write_ring(text);
  u32 length = 0;
  while (text[length] != 0) ++length;
  xen::console_io(CONSOLEIO_write, length, text);
}

void finish() { xen::end(conclude_checks() == 0); }

void set_handler(Handler handler) { xen::g_handler = handler; }
u32 user_stack_top() { return xen::address(xen::g_user_stack + sizeof xen::g_user_stack - 64); }

Caught run(void (*code)(u32), u32 argument) {
  memory_set(&xen::g_caught, 0, sizeof xen::g_caught);
  if (skipping()) return xen::g_caught;
  run_catching(code, argument);
  return xen::g_caught;
}

Caught run_user(void (*code)(u32), u32 eflags, u32 esp) {
  xen::let_user_run();
  struct Entry {
    u32 eip, esp, eflags;
  } entry{xen::address(reinterpret_cast<const void*>(code)), esp != 0 ? esp : user_stack_top(), eflags};
  return run(
      [](u32 argument) {
        const Entry& e = *reinterpret_cast<Entry*>(argument);
        enter_user(e.eip, e.esp, e.eflags);
      },
      xen::address(&entry));
}

// The upper half of the saved CS is the upcall mask as it was: Xen's place for IF.
extern "C" void xen_exception(Frame* frame) {
  const u8 mask = static_cast<u8>(frame->cs >> 16);
  if (xen::g_handler != nullptr && xen::g_handler(*frame)) return;
  Caught& c = xen::g_caught;
  c.any = true;
  c.vector = frame->vector;
  c.error = frame->error;
  c.eip = frame->eip;
  c.cs = frame->cs & 0xffff;
  c.eflags = frame->eflags;
  const bool outer = (frame->cs & 3) == 3;
  c.esp = outer ? frame->esp : xen::address(&frame->esp);
  c.ss = outer ? frame->ss : FLAT_KERNEL_SS;
  c.cr2 = xen::vcpu().arch.cr2;
  memory_copy(&c.frame, frame, sizeof c.frame);
  if (catch_esp == 0) {
    check_none(c, "no unexpected exception");
    xen::end(false);
  }
  xen::vcpu().evtchn_upcall_mask = mask;
  asm volatile("jmp caught_return");
}

extern "C" void xen_start(start_info_t* info, u32 boot_esp) {
  xen::g_start = info;
  xen::map_shared_info();
  xen::start_traps();
  if (xen::stack_switch(FLAT_KERNEL_SS, xen::address(xen::g_kernel_stack + sizeof xen::g_kernel_stack)) != 0)
    xen::fail("stack_switch");
  xen::complete_linear_map(xen::end_of_bootstrap(boot_esp));
  guest_main();
  finish();
}
