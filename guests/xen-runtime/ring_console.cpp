// Writing to the console ring: bytes, index, event; then waiting.
#include "xen-runtime/ring_console.h"

namespace xen {

xencons_interface& console_ring() {
  return *reinterpret_cast<xencons_interface*>(pfn_of(g_start->console.domU.mfn) * kPage);
}

void notify_port(u32 port) {
  evtchn_send_t send{port};
  event_channel_op(EVTCHNOP_send, &send);
}

void write_ring(const char* text) {
  volatile xencons_interface& ring = console_ring();
  while (*text != 0) {
    u32 produced = ring.out_prod;
    for (; *text != 0 && produced - ring.out_cons < sizeof ring.out; ++produced)
      ring.out[MASK_XENCONS_IDX(produced, ring.out)] = *text++;
    asm volatile("" ::: "memory");
    ring.out_prod = produced;
    notify_port(g_start->console.domU.evtchn);
    for (u32 i = 0; ring.out_cons != produced && i < 100000; ++i) sched_op(SCHEDOP_yield, nullptr);
    if (ring.out_cons != produced) return;
  }
}

}  // namespace xen
