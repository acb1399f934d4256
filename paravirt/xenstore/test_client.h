// A guest's xenstore client for tests: requests into the ring, replies and events out of it.
#pragma once

#include <deque>

#include "paravirt/test_domain.h"
#include "paravirt/xenstore/xenstore_connection.h"

namespace ringshift::xen::test {

// What a request that changes something is answered with, its NUL included.
inline const std::string kOk("OK", 3);

struct Message {
  u32 type = xen32::XS_INVALID;
  u32 request = 0;
  u32 transaction = 0;
  std::string payload;
};

// Strings with a NUL behind each.
inline std::string nuls(std::initializer_list<std::string_view> strings) {
  std::string all;
  for (const std::string_view text : strings) (all += text) += '\0';
  return all;
}

struct XenstoreRig {
  static constexpr Mfn kPage = FakeDomain::kFirst + 1;
  EventRig events;
  Store store;
  u32 port = *events.channels.offer();
  XenstoreConnection connection{events.domain, kPage, events.channels, port, store, FakeDomain::kDomain};
  xen32::xenstore_domain_interface& page = events.domain.as<xen32::xenstore_domain_interface>(kPage);
  std::string incoming;
  std::deque<Message> watch_events;

  XenstoreRig() {
    // As the builder does: the home is domain 0's, readable; "data" is the guest's.
    store.set("/local/domain/1/name", "guest");
    allow("/local/domain/1", {{0, 0}, {FakeDomain::kDomain, kStoreRead}});
    allow("/local/domain/1/name", {{0, 0}, {FakeDomain::kDomain, kStoreRead}});
    store.set("/local/domain/1/data", "");
    allow("/local/domain/1/data", {{FakeDomain::kDomain, 0}});
    store.set("/tool/secret", "hidden");
  }
  void allow(std::string_view path, std::vector<Permission> entries) {
    EXPECT_EQ(store.set_permissions(0, 0, path, Permissions(std::move(entries))), 0);
  }

  // Puts bytes into the ring as there is room, and takes what comes out.
  void put(std::string_view bytes) {
    int idle = 0;
    while (!bytes.empty()) {
      const u32 room = XENSTORE_RING_SIZE - (page.req_prod - page.req_cons);
      const std::size_t now = std::min<std::size_t>(room, bytes.size());
      for (const char byte : bytes.substr(0, now)) page.req[page.req_prod++ % XENSTORE_RING_SIZE] = byte;
      bytes.remove_prefix(now);
      EXPECT_EQ(events.send(port), 0);
      take();
      ASSERT_LT(idle = now == 0 ? idle + 1 : 0, 1000) << "no room any more";
    }
  }
  void take() {
    while (page.rsp_cons != page.rsp_prod) {
      while (page.rsp_cons != page.rsp_prod) incoming += page.rsp[page.rsp_cons++ % XENSTORE_RING_SIZE];
      EXPECT_EQ(events.send(port), 0);
    }
  }
  static std::string message(u32 type, std::string_view payload, u32 request = 0, u32 transaction = 0) {
    const xen32::xsd_sockmsg header{type, request, transaction, static_cast<u32>(payload.size())};
    return std::string(reinterpret_cast<const char*>(&header), sizeof header) += payload;
  }
  // The next message that came, if there is a whole one.
  bool next(Message& message) {
    xen32::xsd_sockmsg header;
    if (incoming.size() < sizeof header) return false;
    std::memcpy(&header, incoming.data(), sizeof header);
    EXPECT_LE(header.len, u32{XENSTORE_PAYLOAD_MAX});
    if (incoming.size() < sizeof header + header.len) return false;
    message = {header.type, header.req_id, header.tx_id, incoming.substr(sizeof header, header.len)};
    incoming.erase(0, sizeof header + header.len);
    return true;
  }
  // One request and its reply; events that come first are kept.
  Message ask(u32 type, std::string_view payload, u32 transaction = 0) {
    put(message(type, payload, ++last_request, transaction));
    Message reply;
    while (next(reply)) {
      if (reply.type == xen32::XS_WATCH_EVENT) {
        watch_events.push_back(reply);
        continue;
      }
      EXPECT_EQ(reply.request, last_request);
      Message event;
      while (next(event)) watch_events.push_back(event);
      return reply;
    }
    ADD_FAILURE() << "no reply";
    return {};
  }
  // The payload, or the error's name in brackets.
  std::string text(u32 type, std::string_view payload, u32 transaction = 0) {
    const Message reply = ask(type, payload, transaction);
    if (reply.type == xen32::XS_ERROR) return "[" + reply.payload.substr(0, reply.payload.size() - 1) + "]";
    EXPECT_EQ(reply.type, type);
    return reply.payload;
  }
  std::string read(std::string_view path, u32 transaction = 0) {
    return text(xen32::XS_READ, nuls({path}), transaction);
  }
  std::string write(std::string_view path, std::string_view value, u32 transaction = 0) {
    return text(xen32::XS_WRITE, nuls({path}).append(value), transaction);
  }
  u32 begin() { return static_cast<u32>(std::stoul(text(xen32::XS_TRANSACTION_START, nuls({""})))); }
  std::string end(u32 transaction, bool commit = true) {
    return text(xen32::XS_TRANSACTION_END, nuls({commit ? "T" : "F"}), transaction);
  }
  // The paths of the events so far, each with its token, and forgets them.
  std::vector<std::string> fired() {
    take();
    Message event;
    while (next(event)) watch_events.push_back(event);
    std::vector<std::string> all;
    for (const Message& each : watch_events) {
      EXPECT_EQ(each.type, xen32::XS_WATCH_EVENT);
      std::string line = each.payload.substr(0, each.payload.find('\0'));
      line += " " + each.payload.substr(line.size() + 1);
      line.pop_back();
      all.push_back(line);
    }
    watch_events.clear();
    return all;
  }
  u32 last_request = 0;
};

}  // namespace ringshift::xen::test
