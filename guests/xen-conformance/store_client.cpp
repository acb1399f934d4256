// The ring: bytes as there is room, and a look at the other side after each event.
#include "xen-conformance/store_client.h"

namespace {

u32 g_events, g_requests;

void wake_store() {
  evtchn_send_t send{xen::g_start->store_evtchn};
  if (xen::event_channel_op(EVTCHNOP_send, &send) != 0) xen::fail("no channel to xenstore");
}

void barrier() { asm volatile("" ::: "memory"); }

void put(const void* data, u32 length) {
  xenstore_domain_interface& page = store_page();
  for (u32 done = 0; done < length;) {
    barrier();
    if (page.req_prod - page.req_cons == XENSTORE_RING_SIZE) {
      wake_store();
      xen::sched_op(SCHEDOP_yield, nullptr);
      continue;
    }
    page.req[page.req_prod % XENSTORE_RING_SIZE] = static_cast<const char*>(data)[done++];
    barrier();
    ++page.req_prod;
  }
  wake_store();
}

void take(void* data, u32 length) {
  xenstore_domain_interface& page = store_page();
  for (u32 done = 0; done < length;) {
    barrier();
    if (page.rsp_prod == page.rsp_cons) {
      wake_store();
      xen::sched_op(SCHEDOP_yield, nullptr);
      continue;
    }
    static_cast<char*>(data)[done++] = page.rsp[page.rsp_cons % XENSTORE_RING_SIZE];
    barrier();
    ++page.rsp_cons;
  }
}

u32 copy_text(char* to, const char* text) {
  const u32 length = length_of(text);
  memory_copy(to, text, length + 1);
  return length;
}

}  // namespace

xenstore_domain_interface& store_page() {
  return *reinterpret_cast<xenstore_domain_interface*>(xen::pfn_of(xen::g_start->store_mfn) * xen::kPage);
}

void store_ask(u32 type, u32 transaction, const char* payload, u32 length, StoreReply& reply) {
  xsd_sockmsg header{type, ++g_requests, transaction, length};
  put(&header, sizeof header);
  put(payload, length);
  for (;;) {
    take(&header, sizeof header);
    if (header.len > XENSTORE_PAYLOAD_MAX) xen::fail("a reply of xenstore's is too long");
    take(reply.payload, header.len);
    reply.payload[header.len] = 0;
    reply.type = header.type;
    reply.transaction = header.tx_id;
    reply.length = header.len;
    if (header.type != XS_WATCH_EVENT) break;
    ++g_events;
  }
  if (header.req_id != g_requests) xen::fail("a reply of xenstore's to something else");
}

u32 store_events() { return g_events; }

bool equal(const char* a, const char* b) {
  for (; *a == *b; ++a, ++b)
    if (*a == 0) return true;
  return false;
}

u32 length_of(const char* text) {
  u32 length = 0;
  while (text[length] != 0) ++length;
  return length;
}

u32 number_in(const char* text) {
  u32 number = 0;
  if (*text == 0) return ~0u;
  for (; *text != 0; ++text) {
    if (*text < '0' || *text > '9') return ~0u;
    number = number * 10 + static_cast<u32>(*text - '0');
  }
  return number;
}

const char* error_of(const StoreReply& reply) { return reply.type == XS_ERROR ? reply.payload : ""; }

const char* store_read(const char* path, StoreReply& reply) {
  store_ask(XS_READ, 0, path, length_of(path) + 1, reply);
  return reply.type == XS_READ ? reply.payload : "";
}

bool store_write(const char* path, const char* value) {
  static char payload[XENSTORE_PAYLOAD_MAX];
  static StoreReply reply;
  const u32 at = copy_text(payload, path) + 1;
  const u32 length = at + copy_text(payload + at, value);
  store_ask(XS_WRITE, 0, payload, length, reply);
  return reply.type == XS_WRITE;
}

bool store_write_number(const char* path, u32 value) {
  char text[12];
  u32 at = sizeof text - 1;
  text[at] = 0;
  do {
    text[--at] = static_cast<char>('0' + value % 10);
    value /= 10;
  } while (value != 0);
  return store_write(path, text + at);
}
