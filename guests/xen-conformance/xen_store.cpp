// Guest: xenstore over its ring, and its abuse.
#include "xen-conformance/forge.h"
#include "xen-conformance/store_client.h"

namespace {

StoreReply g_reply;

// A request with a literal for its payload; the NUL at its end is one of it.
template <u32 size>
const StoreReply& ask(u32 type, const char (&payload)[size], u32 transaction = 0) {
  store_ask(type, transaction, payload, size, g_reply);
  return g_reply;
}
template <u32 size>
void check_refused(u32 type, const char (&payload)[size], const char* error, const char* name) {
  check(equal(error_of(ask(type, payload)), error), name);
}

void check_requests() {
  check(number_in(store_read("domid", g_reply)) != ~0u, "the guest's number");
  check(store_write("data/a", "value"), "a write to data");
  check(equal(store_read("data/a", g_reply), "value"), "reads as written");
  check(equal(store_read("/local/domain/1/data/a", g_reply), "value"), "by its whole path too");
  check(ask(XS_DIRECTORY, "data").length == 2 && equal(g_reply.payload, "a"), "data has one child");
  check(ask(XS_MKDIR, "data/dir").type == XS_MKDIR, "a directory");
  check(ask(XS_RM, "data/dir").type == XS_RM, "removed again");
  check_refused(XS_READ, "data/dir", "ENOENT", "isn't there any more");
  check(ask(XS_GET_DOMAIN_PATH, "1").type == XS_GET_DOMAIN_PATH && equal(g_reply.payload, "/local/domain/1"),
        "the guest's home");
}

void check_permissions() {
  check_refused(XS_WRITE, "name\0other", "EACCES", "a write to the guest's name");
  check_refused(XS_WRITE, "/local/domain/2/x\0y", "EACCES", "a write to another domain's home");
  check_refused(XS_READ, "/local/domain/0/backend", "EACCES", "a read of domain 0's");
  check_refused(XS_RM, "/local/domain", "EACCES", "removal of all domains");
  check_refused(XS_RM, "/", "EINVAL", "removal of all");
  check_refused(XS_SET_PERMS, "name\0b1", "EACCES", "permissions of what isn't the guest's");
  check_refused(XS_SET_PERMS, "data\0n0\0b1", "EPERM", "a node given away");
  check_refused(XS_INTRODUCE, "3\0001\0002", "EACCES", "a domain introduced");
  check_refused(XS_RELEASE, "1", "EACCES", "a domain released");
  check_refused(XS_CONTROL, "help", "EACCES", "control");
}

void check_paths() {
  check_refused(XS_WRITE, "data/../name\0x", "EINVAL", "a path with dots");
  check_refused(XS_WRITE, "data//x\0y", "EINVAL", "an empty component");
  check_refused(XS_WRITE, "data/x/\0y", "EINVAL", "a slash at the end");
  check_refused(XS_WRITE, "data/\xff\0y", "EINVAL", "a letter that isn't one");
  check_refused(XS_WRITE, "\0y", "EINVAL", "no path");
  static char path[2000];
  memory_set(path, 'x', sizeof path - 1);
  store_ask(XS_READ, 0, path, sizeof path, g_reply);
  check(equal(error_of(g_reply), "EINVAL"), "a path of 2,000 letters");
  store_ask(XS_READ, 0, "data", 4, g_reply);
  check(equal(error_of(g_reply), "EINVAL"), "a path without an end");
  store_ask(XS_READ, 0, nullptr, 0, g_reply);
  check(equal(error_of(g_reply), "EINVAL"), "a request without a path");
  store_ask(0xffff, 0, "x", 2, g_reply);
  check(equal(error_of(g_reply), "ENOSYS"), "a request of no kind");
}

void check_transactions() {
  check(ask(XS_TRANSACTION_START, "").type == XS_TRANSACTION_START, "a transaction");
  const u32 first = number_in(g_reply.payload);
  check(ask(XS_WRITE, "data/t\0in it", first).type == XS_WRITE, "a write in it");
  check_refused(XS_READ, "data/t", "ENOENT", "isn't seen outside");
  check(ask(XS_TRANSACTION_END, "T", first).type == XS_TRANSACTION_END, "its end");
  check(equal(store_read("data/t", g_reply), "in it"), "makes it seen");
  ask(XS_TRANSACTION_START, "");
  const u32 second = number_in(g_reply.payload);
  store_write("data/t", "outside");
  ask(XS_WRITE, "data/t\0inside", second);
  check(equal(error_of(ask(XS_TRANSACTION_END, "T", second)), "EAGAIN"), "a transaction that comes too late");
  check(equal(store_read("data/t", g_reply), "outside"), "changes nothing");
  check(equal(error_of(ask(XS_READ, "data/t", 0xffffffff)), "ENOENT"), "transaction FFFFFFFF");
  u32 begun = 0;
  while (begun < 1000 && ask(XS_TRANSACTION_START, "").type == XS_TRANSACTION_START) ++begun;
  check(begun < 100 && equal(error_of(g_reply), "ENOSPC"), "transactions run out");
}

void check_watches() {
  const u32 before = store_events();
  check(ask(XS_WATCH, "data\0token").type == XS_WATCH, "a watch");
  store_write("data/w", "1");
  store_read("data/w", g_reply);
  check_equal(store_events() - before, 2, "fires at first, and for a change below");
  check_refused(XS_WATCH, "data\0token", "EEXIST", "the same again");
  check(ask(XS_UNWATCH, "data\0token").type == XS_UNWATCH, "is taken back");
  check_refused(XS_UNWATCH, "data\0token", "ENOENT", "once only");
  u32 watches = 0;
  static char payload[] = "data\0token-000";
  for (; watches < 999; ++watches) {
    payload[11] = static_cast<char>('0' + watches / 100);
    payload[12] = static_cast<char>('0' + watches / 10 % 10);
    payload[13] = static_cast<char>('0' + watches % 10);
    if (ask(XS_WATCH, payload).type != XS_WATCH) break;
  }
  check(watches < 999 && equal(error_of(g_reply), "ENOSPC"), "watches run out");
  check(ask(XS_RESET_WATCHES, "").type == XS_RESET_WATCHES, "all are taken back");
}

void check_quotas() {
  static char path[] = "data/node-0000";
  u32 nodes = 0;
  for (; nodes < 9999; ++nodes) {
    for (u32 i = 0, rest = nodes; i < 4; ++i, rest /= 10) path[13 - i] = static_cast<char>('0' + rest % 10);
    if (!store_write(path, "x")) break;
  }
  check(nodes > 100 && nodes < 9999, "nodes run out");
  check(ask(XS_RM, "data/node-0001").type == XS_RM, "one is removed");
  check(store_write("data/instead", "x"), "there is room for another");
  static char big[3000];
  memory_set(big, 'v', sizeof big);
  memory_copy(big, "data/a", 7);
  store_ask(XS_WRITE, 0, big, sizeof big, g_reply);
  check(equal(error_of(g_reply), "ENOSPC"), "a value of 3,000 bytes");
}

// The last: the connection is dead afterwards.
void check_ring() {
  xenstore_domain_interface& page = store_page();
  page.req_prod = page.req_cons + XENSTORE_RING_SIZE + 1;
  evtchn_send_t send{xen::g_start->store_evtchn};
  check_success(xen::event_channel_op(EVTCHNOP_send, &send), "a ring with more in it than fits");
  check_equal(*static_cast<volatile u32*>(&page.error), XENSTORE_ERROR_RINGIDX, "is an error of the ring");
  page.rsp_cons = page.rsp_prod + 5;
  check_success(xen::event_channel_op(EVTCHNOP_send, &send), "replies that never were");
}

}  // namespace

void guest_main() {
  check_requests();
  check_permissions();
  check_paths();
  check_transactions();
  check_watches();
  check_quotas();
  check_ring();
}
