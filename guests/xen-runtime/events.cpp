// Event channels of the two-level ABI (xen.h, shared_info), and the clock of vcpu_time_info.
#include "xen-runtime/events.h"

#include "runtime/arithmetic.h"
#include "runtime/cpu.h"
#include "xen-runtime/xen.h"

namespace xen {

namespace {

EventHandler g_event_handler;

// The kernel's and Xen's changes of a word may meet, where there is more than one processor.
void change_bit(xen_ulong_t* words, u32 bit, bool on) {
  u32* word = reinterpret_cast<u32*>(&words[bit / 32]);
  if (on)
    asm volatile("lock btsl %1, %0" : "+m"(*word) : "r"(bit % 32) : "memory", "cc");
  else
    asm volatile("lock btrl %1, %0" : "+m"(*word) : "r"(bit % 32) : "memory", "cc");
}

// 64 x 32 bits, the upper 64 of 96: (ticks * multiplier) >> 32.
u64 scale(u64 ticks, u32 multiplier) {
  const u64 low = (ticks & 0xffffffff) * multiplier;
  return (ticks >> 32) * multiplier + (low >> 32);
}

}  // namespace

bool take_event(u32& port) {
  for (u32 word = 0; word < 32; ++word) {
    const u32 ready = g_shared->evtchn_pending[word] & ~g_shared->evtchn_mask[word];
    if (ready == 0) continue;
    port = word * 32 + static_cast<u32>(__builtin_ctz(ready));
    change_bit(g_shared->evtchn_pending, port, false);
    return true;
  }
  return false;
}

void set_event_handler(EventHandler handler) { g_event_handler = handler; }
void mask_port(u32 port) { change_bit(g_shared->evtchn_mask, port, true); }
void unmask_port(u32 port) { change_bit(g_shared->evtchn_mask, port, false); }

int bind_virq(u32 virq) {
  evtchn_bind_virq_t bind{virq, 0, 0};
  const int error = event_channel_op(EVTCHNOP_bind_virq, &bind);
  if (error != 0) return error;
  unmask_port(bind.port);
  return static_cast<int>(bind.port);
}

u64 system_time() {
  const volatile vcpu_time_info_t& time = vcpu().time;
  for (;;) {
    const u32 version = time.version;
    asm volatile("" ::: "memory");
    u64 ticks = read_tsc() - time.tsc_timestamp;
    ticks = time.tsc_shift < 0 ? ticks >> -time.tsc_shift : ticks << time.tsc_shift;
    const u64 now = time.system_time + scale(ticks, time.tsc_to_system_mul);
    asm volatile("" ::: "memory");
    if ((version & 1) == 0 && version == time.version) return now;
  }
}

u32 tsc_khz() {
  const vcpu_time_info_t& time = vcpu().time;
  const u64 hz = divide(1000000000ull << 32, time.tsc_to_system_mul);
  return static_cast<u32>(divide(time.tsc_shift < 0 ? hz << -time.tsc_shift : hz >> time.tsc_shift, 1000));
}

}  // namespace xen

// Clears the pending flag before it looks, so that nothing is missed (xen.h, evtchn_upcall_pending).
extern "C" void xen_upcall(Frame*) {
  xen::vcpu().evtchn_upcall_pending = 0;
  asm volatile("xorl %%eax, %%eax\n xchgl %%eax, %0"
               : "+m"(xen::vcpu().evtchn_pending_sel)
               :
               : "eax", "memory");
  for (u32 port = 0; xen::take_event(port);)
    if (xen::g_event_handler != nullptr) xen::g_event_handler(port);
}
