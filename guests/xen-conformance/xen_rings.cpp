// Guest: the console's and xenstore's rings, with all that a guest may write into them. It prints by the
// ring.
#include "xen-conformance/forge.h"
#include "xen-runtime/ring_console.h"

namespace {

using xen::g_start;
using xen::kPage;

constexpr u32 kForgeries[] = {0x401, 0x801, 0x1000, 0x10000, 0x7fffffff, 0x80000000, 0xffffffff};

void check_console() {
  volatile xencons_interface& ring = xen::console_ring();
  check_equal(ring.out_cons, ring.out_prod, "the console's ring is empty");
  const u32 taken = ring.out_cons;
  bool moved = false;
  for (const u32 forged : kForgeries) {
    if (forged <= sizeof ring.out) continue;
    ring.out_prod = taken + forged;
    xen::notify_port(g_start->console.domU.evtchn);
    moved |= ring.out_cons != taken;
  }
  ring.out_prod = taken;
  check(!moved, "an index beyond the ring moves nothing");
  const u32 before = ring.in_prod;
  for (const u32 forged : kForgeries) {
    ring.in_cons = before - forged;
    xen::notify_port(g_start->console.domU.evtchn);
  }
  ring.in_cons = before;
  check_equal(ring.in_prod, before, "nor does one of the input");
  // Near the indices' wrap at 2^32, as after 4 GiB of output.
  ring.out_prod = 0xfffffff8;
  ring.out_cons = 0xfffffff8;
  check(true, "text goes round the ring, and over 2^32");
  check_equal(ring.out_cons, ring.out_prod, "and all of it is taken");
}

volatile xenstore_domain_interface& store() {
  return *reinterpret_cast<xenstore_domain_interface*>(xen::pfn_of(g_start->store_mfn) * kPage);
}

void put(const void* data, u32 length) {
  volatile xenstore_domain_interface& ring = store();
  for (u32 i = 0; i < length; ++i) {
    for (u32 j = 0; ring.req_prod - ring.req_cons >= XENSTORE_RING_SIZE && j < 100000; ++j)
      xen::notify_port(g_start->store_evtchn);
    ring.req[MASK_XENSTORE_IDX(ring.req_prod)] = static_cast<const char*>(data)[i];
    asm volatile("" ::: "memory");
    ring.req_prod = ring.req_prod + 1;
  }
}

// False if nothing came.
bool take(void* data, u32 length) {
  volatile xenstore_domain_interface& ring = store();
  for (u32 i = 0; i < length; ++i) {
    for (u32 j = 0; ring.rsp_prod == ring.rsp_cons && j < 1000; ++j) xen::notify_port(g_start->store_evtchn);
    if (ring.rsp_prod == ring.rsp_cons) return false;
    static_cast<char*>(data)[i] = ring.rsp[MASK_XENSTORE_IDX(ring.rsp_cons)];
    asm volatile("" ::: "memory");
    ring.rsp_cons = ring.rsp_cons + 1;
  }
  return true;
}

char g_reply[XENSTORE_PAYLOAD_MAX + 1];

// The type of the reply, its text in g_reply; XS_INVALID if there was none.
u32 ask(u32 type, const void* payload, u32 length) {
  static u32 number;
  const xsd_sockmsg request{type, ++number, 0, length};
  put(&request, sizeof request);
  put(payload, length);
  xen::notify_port(g_start->store_evtchn);
  xsd_sockmsg reply{};
  if (!take(&reply, sizeof reply) || reply.len > XENSTORE_PAYLOAD_MAX || !take(g_reply, reply.len))
    return XS_INVALID;
  g_reply[reply.len] = 0;
  return reply.req_id == number ? reply.type : u32{XS_INVALID};
}

bool reply_is(const char* text) {
  u32 i = 0;
  while (text[i] != 0 && text[i] == g_reply[i]) ++i;
  return text[i] == g_reply[i];
}

void refuse(u32 type, const void* payload, u32 length, const char* name) {
  check_equal(ask(type, payload, length), XS_ERROR, name);
}

void check_store() {
  check_equal(ask(XS_READ, "domid", 6), XS_READ, "xenstore answers");
  check(g_reply[0] >= '1' && g_reply[0] <= '9', "with the domain's number, which isn't 0");
  refuse(XS_READ, "nothing", 8, "a node that isn't there");
  check(reply_is("ENOENT"), "is ENOENT");
  refuse(9999, "x", 2, "an unknown request");
  refuse(XS_READ, "domid", 5, "a path without its end");
  refuse(XS_READ, "", 0, "no path");
  refuse(XS_READ, "/a//b", 6, "a path with an empty name");
  refuse(XS_READ, "/../x", 6, "a path upwards");
  refuse(XS_WRITE, "/local/domain/0/x\0y", 19, "a write to the back end's nodes");
  check(reply_is("EACCES"), "is EACCES");
  refuse(XS_WRITE, "/tool/x\0y", 9, "a write to the tools' nodes");
  refuse(XS_RM, "/", 2, "the root's removal");
  refuse(XS_SET_PERMS, "domid\0b7", 9, "rights of a node that isn't the guest's");
  refuse(XS_INTRODUCE,
         "1\0"
         "1\0"
         "1",
         6, "a tool's request");
  refuse(XS_TRANSACTION_END, "T", 2, "the end of no transaction");
  static char big[XENSTORE_PAYLOAD_MAX];
  for (char& c : big) c = 'x';
  big[0] = '/';
  big[sizeof big - 1] = 0;
  refuse(XS_READ, big, sizeof big, "a path of 4,095 characters");
  check_equal(ask(XS_READ, "domid", 6), XS_READ, "after all that it answers still");
}

// Transactions, nodes and watches without end: each has a limit, which is an error and not the monitor's
// memory.
void check_quotas() {
  u32 made = 0;
  while (made < 100000 && ask(XS_TRANSACTION_START, "", 1) == XS_TRANSACTION_START) ++made;
  check(made > 0 && made < 1000, "the number of transactions is limited");
  char watch[] = "domid\0token00000";
  for (made = 0; made < 100000; ++made) {
    for (u32 i = 0, rest = made; i < 5; ++i, rest /= 10) watch[15 - i] = static_cast<char>('0' + rest % 10);
    if (ask(XS_WATCH, watch, sizeof watch) == XS_ERROR) break;
    // The event that every new watch has at once.
    xsd_sockmsg event{};
    if (take(&event, sizeof event)) take(g_reply, event.len);
  }
  check(made > 0 && made < 10000, "the number of watches is limited");
}

void check_dead_store() {
  volatile xenstore_domain_interface& ring = store();
  const u32 taken = ring.req_cons;
  for (const u32 forged : kForgeries) {
    ring.req_prod = taken + forged;
    xen::notify_port(g_start->store_evtchn);
  }
  check(ring.error != XENSTORE_ERROR_NONE || ring.req_cons == taken,
        "an index beyond xenstore's ring is an error");
  const xsd_sockmsg huge{XS_READ, 1, 0, 0xfffffff0};
  ring.req_prod = 0;
  ring.req_cons = 0;
  put(&huge, sizeof huge);
  for (u32 i = 0; i < 100; ++i) xen::notify_port(g_start->store_evtchn);
  check(true, "and a message of 4 GiB harms nobody");
}

}  // namespace

void guest_main() {
  xen::use_console_ring();
  check_console();
  check_store();
  check_quotas();
  check_dead_store();
}
