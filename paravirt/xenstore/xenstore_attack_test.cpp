// Xenstore against hostile guests: ring indices, broken messages, path tricks, floods.
#include <random>

#include "paravirt/xenstore/test_client.h"

namespace ringshift::xen::test {
namespace {

using namespace xen32;

TEST(XenstoreAttack, IndicesThatCannotBeEndTheConnection) {
  for (const u32 jump : {u32{XENSTORE_RING_SIZE + 1}, u32{0x8000'0000}, u32{0xffff'ffff}}) {
    XenstoreRig requests;
    requests.page.req_prod = requests.page.req_cons + jump;
    EXPECT_EQ(requests.events.send(requests.port), 0);
    EXPECT_EQ(requests.page.error, u32{XENSTORE_ERROR_RINGIDX});
    XenstoreRig replies;
    replies.page.rsp_cons = replies.page.rsp_prod - jump;
    const std::string message = XenstoreRig::message(XS_READ, nuls({"name"}));
    std::memcpy(replies.page.req, message.data(), message.size());
    replies.page.req_prod = static_cast<u32>(message.size());
    EXPECT_EQ(replies.events.send(replies.port), 0);
    EXPECT_EQ(replies.page.error, u32{XENSTORE_ERROR_RINGIDX});
    const u32 produced = replies.page.rsp_prod;
    EXPECT_EQ(replies.events.send(replies.port), 0);
    EXPECT_EQ(replies.page.rsp_prod, produced) << "dead";
  }
}

TEST(XenstoreAttack, APayloadThatIsTooLongEndsTheConnection) {
  for (const u32 length : {u32{XENSTORE_PAYLOAD_MAX + 1}, u32{0xffff'ffff}}) {
    XenstoreRig rig;
    const xsd_sockmsg header{XS_WRITE, 1, 0, length};
    std::memcpy(rig.page.req, &header, sizeof header);
    rig.page.req_prod = sizeof header;
    EXPECT_EQ(rig.events.send(rig.port), 0);
    EXPECT_EQ(rig.page.error, u32{XENSTORE_ERROR_PROTO});
    rig.store.set("/local/domain/1/data", "no watch, no crash");
  }
}

TEST(XenstoreAttack, MessagesInPiecesByteByByte) {
  XenstoreRig rig;
  const std::string all = XenstoreRig::message(XS_WRITE, nuls({"data/x"}) + std::string(2000, 'v'), 7) +
                          XenstoreRig::message(XS_READ, nuls({"data/x"}), 8);
  for (const char byte : all) rig.put({&byte, 1});
  Message reply;
  ASSERT_TRUE(rig.next(reply));
  EXPECT_EQ(reply.payload, kOk);
  ASSERT_TRUE(rig.next(reply));
  EXPECT_EQ(reply.payload, std::string(2000, 'v'));
}

TEST(XenstoreAttack, PathsThatAreNone) {
  XenstoreRig rig;
  const std::string bad[] = {"",
                             "//",
                             "/local//domain",
                             "data/",
                             "data//x",
                             "data/x/",
                             "/local/domain/1/data/",
                             "data/\xff",
                             "data/a b",
                             "data/..\\x",
                             "data/a:b",
                             "data/../x",
                             ".",
                             "data/" + std::string(1100, 'x'),
                             "@introduceDomain",
                             "data/%n",
                             "data/\n"};
  for (const std::string& path : bad) {
    EXPECT_EQ(rig.write(path, "x"), "[EINVAL]") << path;
    EXPECT_EQ(rig.read(path), "[EINVAL]") << path;
    EXPECT_EQ(rig.text(XS_RM, nuls({path})), "[EINVAL]") << path;
    EXPECT_EQ(rig.text(XS_MKDIR, nuls({path})), "[EINVAL]") << path;
    EXPECT_EQ(rig.text(XS_DIRECTORY, nuls({path})), "[EINVAL]") << path;
    EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({path, "n1"})), "[EINVAL]") << path;
    if (!path.starts_with('@')) {
      EXPECT_EQ(rig.text(XS_WATCH, nuls({path, "t"})), "[EINVAL]") << path;
    }
  }
  EXPECT_EQ(rig.store.get("/local/domain/1/data"), "");
}

TEST(XenstoreAttack, PayloadsWithoutWhatTheyNeed) {
  XenstoreRig rig;
  for (const u32 type :
       {XS_DIRECTORY, XS_DIRECTORY_PART, XS_READ, XS_GET_PERMS, XS_WATCH, XS_UNWATCH, XS_WRITE, XS_MKDIR,
        XS_RM, XS_SET_PERMS, XS_GET_DOMAIN_PATH, XS_IS_DOMAIN_INTRODUCED, XS_TRANSACTION_END})
    for (const std::string& payload : {std::string(), std::string("no NUL"), std::string(4096, 'x')})
      EXPECT_EQ(rig.text(type, payload), "[EINVAL]") << type;
  EXPECT_EQ(rig.text(XS_READ, nuls({"name", "more"})), "[EINVAL]");
  EXPECT_EQ(rig.text(XS_DIRECTORY_PART, nuls({"data", "-1"})), "[EINVAL]");
  EXPECT_EQ(rig.text(XS_DIRECTORY_PART, nuls({"data", "99999999999999999999999"})), "[EINVAL]");
}

TEST(XenstoreAttack, Quotas) {
  XenstoreRig rig;
  EXPECT_EQ(rig.write("data/long", std::string(Store::kMaxValue + 1, 'x')), "[ENOSPC]");
  EXPECT_EQ(rig.write("data/long", std::string(Store::kMaxValue, 'x')), kOk);
  unsigned made = 0;
  while (made < 2000 && rig.write("data/n" + std::to_string(made), "x") == kOk) ++made;
  EXPECT_GE(made, 900u);
  EXPECT_LE(made, Store::kMaxNodes);
  EXPECT_EQ(rig.write("data/one/two/three", "x"), "[ENOSPC]");
  EXPECT_EQ(rig.read("data/one"), "[ENOENT]") << "not in part either";
  EXPECT_EQ(rig.text(XS_MKDIR, nuls({"data/dir"})), "[ENOSPC]");
  EXPECT_EQ(rig.text(XS_RM, nuls({"data/n1"})), kOk);
  EXPECT_EQ(rig.write("data/dir", "x"), kOk) << "there is room again";

  for (unsigned i = 0; i < Store::kMaxTransactions; ++i) rig.begin();
  EXPECT_EQ(rig.text(XS_TRANSACTION_START, nuls({""})), "[ENOSPC]");
  for (unsigned i = 0; i < XenstoreConnection::kMaxWatches; ++i)
    ASSERT_EQ(rig.text(XS_WATCH, nuls({"data", std::to_string(i)})), kOk);
  EXPECT_EQ(rig.text(XS_WATCH, nuls({"data", "more"})), "[ENOSPC]");
  EXPECT_EQ(rig.text(XS_RESET_WATCHES, nuls({""})), kOk);
  EXPECT_EQ(rig.text(XS_WATCH, nuls({"data", std::string(2000, 't')})), "[EINVAL]");
}

TEST(XenstoreAttack, ATransactionCannotGrowWithoutEnd) {
  XenstoreRig rig;
  const u32 transaction = rig.begin();
  std::string answer;
  unsigned count = 0;
  while ((answer = rig.write("data/x", std::to_string(count), transaction)) == kOk && count < 5000) ++count;
  EXPECT_EQ(answer, "[ENOSPC]");
  EXPECT_EQ(count, Store::kMaxChanges);
  EXPECT_EQ(rig.text(XS_RM, nuls({"data/x"}), transaction), "[ENOSPC]");
  EXPECT_EQ(rig.end(transaction), kOk);
}

// Floods of events that nobody reads: what waits is bounded, and the store goes on for others.
TEST(XenstoreAttack, AGuestThatDoesNotReadIsNotServed) {
  XenstoreRig rig;
  for (unsigned i = 0; i < 100; ++i)
    ASSERT_EQ(rig.text(XS_WATCH, nuls({"data", std::string(1000, 't') + std::to_string(i)})), kOk);
  // From here on the guest leaves its replies where they are.
  const std::string message = XenstoreRig::message(XS_WRITE, nuls({"data/x"}) + "value");
  unsigned written = 0;
  for (unsigned i = 0; i < 2000; ++i) {
    if (rig.page.req_prod - rig.page.req_cons + message.size() <= XENSTORE_RING_SIZE) {
      for (const char byte : message) rig.page.req[rig.page.req_prod++ % XENSTORE_RING_SIZE] = byte;
      ++written;
    }
    rig.events.send(rig.port);
  }
  EXPECT_LT(written, 100u) << "requests wait in the ring";
  for (unsigned i = 0; i < 2'000; ++i) rig.store.set("/local/domain/1/data/x", std::to_string(i));
  EXPECT_LT(rig.connection.queued(), XenstoreConnection::kQueueLimit + XENSTORE_PAYLOAD_MAX);
  EXPECT_EQ(rig.page.error, 0u);
  EXPECT_EQ(rig.store.get("/local/domain/1/data/x"), "1999");
  // It reads at last, and all is well.
  rig.take();
  Message reply;
  while (rig.next(reply)) EXPECT_TRUE(reply.type == XS_WATCH_EVENT || reply.payload == kOk);
  EXPECT_EQ(rig.read("name"), "guest");
}

TEST(XenstoreAttack, RandomMessages) {
  std::mt19937 random(4);
  const std::string paths[] = {"data", "data/a",       "data/a/b", "/",     "/local",
                               "name", "/tool/secret", "",         "data//"};
  for (int round = 0; round < 20; ++round) {
    XenstoreRig rig;
    for (int i = 0; i < 500; ++i) {
      std::string payload = nuls({paths[random() % std::size(paths)]});
      if (random() % 2 == 0) payload += nuls({paths[random() % std::size(paths)]});
      if (random() % 4 == 0) payload += std::string(random() % 3000, static_cast<char>(random()));
      if (random() % 8 == 0) payload = nuls({random() % 2 == 0 ? "T" : "F"});
      const u32 type = random() % 24;
      rig.put(XenstoreRig::message(type, payload, random(), random() % 6));
      Message reply;
      while (rig.next(reply)) EXPECT_LE(reply.payload.size(), std::size_t{XENSTORE_PAYLOAD_MAX});
    }
    EXPECT_EQ(rig.page.error, 0u);
    EXPECT_EQ(rig.store.get("/tool/secret"), "hidden");
    // And then nonsense.
    std::string bytes(3000, ' ');
    for (char& byte : bytes) byte = static_cast<char>(random());
    for (const char byte : bytes) rig.page.req[rig.page.req_prod++ % XENSTORE_RING_SIZE] = byte;
    rig.events.send(rig.port);
    rig.page.req_cons = random();
    rig.page.rsp_cons = random();
    rig.events.send(rig.port);
    EXPECT_EQ(rig.store.get("/tool/secret"), "hidden");
  }
}

}  // namespace
}  // namespace ringshift::xen::test
