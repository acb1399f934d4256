// Xenstore as a guest uses it over its ring: requests, permissions, transactions, watches.
#include "paravirt/xenstore/test_client.h"

namespace ringshift::xen::test {
namespace {

using namespace xen32;
using Strings = std::vector<std::string>;

TEST(Xenstore, ReadsWritesAndLists) {
  XenstoreRig rig;
  EXPECT_EQ(rig.read("name"), "guest");
  EXPECT_EQ(rig.read("/local/domain/1/name"), "guest");
  EXPECT_EQ(rig.write("data/a/b", "value"), kOk);
  EXPECT_EQ(rig.write("data/c", ""), kOk);
  EXPECT_EQ(rig.read("data/a/b"), "value");
  EXPECT_EQ(rig.read("data/a"), "") << "made on the way";
  EXPECT_EQ(rig.text(XS_DIRECTORY, nuls({"data"})), nuls({"a", "c"}));
  EXPECT_EQ(rig.text(XS_MKDIR, nuls({"data/d"})), kOk);
  EXPECT_EQ(rig.text(XS_MKDIR, nuls({"data/a/b"})), kOk);
  EXPECT_EQ(rig.read("data/a/b"), "value");
  EXPECT_EQ(rig.text(XS_RM, nuls({"data/a"})), kOk);
  EXPECT_EQ(rig.read("data/a/b"), "[ENOENT]");
  EXPECT_EQ(rig.text(XS_RM, nuls({"data/a"})), kOk);
  EXPECT_EQ(rig.text(XS_RM, nuls({"data/x/y"})), "[ENOENT]");
  EXPECT_EQ(rig.text(XS_DIRECTORY, nuls({"data/c"})), "");
  EXPECT_EQ(rig.text(XS_GET_DOMAIN_PATH, nuls({"1"})), nuls({"/local/domain/1"}));
  EXPECT_EQ(rig.text(XS_IS_DOMAIN_INTRODUCED, nuls({"1"})), nuls({"T"}));
  EXPECT_EQ(rig.text(XS_IS_DOMAIN_INTRODUCED, nuls({"2"})), nuls({"F"}));
  EXPECT_EQ(rig.store.get("/local/domain/1/data/c"), "");
}

TEST(Xenstore, PermissionsHoldForAGuest) {
  XenstoreRig rig;
  EXPECT_EQ(rig.read("/tool/secret"), "[EACCES]");
  EXPECT_EQ(rig.read("/tool/none"), "[EACCES]") << "not even whether it is there";
  EXPECT_EQ(rig.write("/tool/secret", "x"), "[EACCES]");
  EXPECT_EQ(rig.write("name", "other"), "[EACCES]");
  EXPECT_EQ(rig.write("new", "x"), "[EACCES]");
  EXPECT_EQ(rig.write("/other", "x"), "[EACCES]");
  EXPECT_EQ(rig.text(XS_RM, nuls({"name"})), "[EACCES]");
  EXPECT_EQ(rig.text(XS_RM, nuls({"/"})), "[EINVAL]");
  EXPECT_EQ(rig.text(XS_RM, nuls({"/local"})), "[EACCES]");
  EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({"name", "w1"})), "[EACCES]");
  EXPECT_EQ(rig.text(XS_DIRECTORY, nuls({"/tool"})), "[EACCES]");
  EXPECT_EQ(rig.text(XS_GET_PERMS, nuls({"/tool"})), "[EACCES]");
  EXPECT_EQ(rig.text(XS_GET_PERMS, nuls({"name"})), nuls({"n0", "r1"}));

  EXPECT_EQ(rig.write("data/mine", "1"), kOk);
  EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({"data/mine", "n1", "r2", "b7"})), kOk);
  EXPECT_EQ(rig.text(XS_GET_PERMS, nuls({"data/mine"})), nuls({"n1", "r2", "b7"}));
  EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({"data/mine", "n0", "w1"})), "[EPERM]") << "given away";
  EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({"data/mine", "n1", "r2", "r3", "r4", "r5", "r6"})), "[ENOSPC]");
  for (const char* bad : {"", "n", "x1", "r", "r-1", "r1x", "r99999", "1"})
    EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({"data/mine", bad})), "[EINVAL]") << bad;
  EXPECT_EQ(rig.store.get("/tool/secret"), "hidden");

  // What a guest may write but doesn't own: what it makes there is its own, what was there stays.
  rig.store.set("/local/domain/1/shared", "");
  rig.allow("/local/domain/1/shared", {{0, kStoreRead}, {1, kStoreRead | kStoreWrite}});
  EXPECT_EQ(rig.write("shared/x", "1"), kOk);
  EXPECT_EQ(rig.text(XS_GET_PERMS, nuls({"shared/x"})), nuls({"r1", "b1"}));
  EXPECT_EQ(rig.text(XS_SET_PERMS, nuls({"shared", "b1"})), "[EACCES]");
}

TEST(Xenstore, WhatIsDomain0sIsRefused) {
  XenstoreRig rig;
  for (const u32 type : {XS_CONTROL, XS_INTRODUCE, XS_RELEASE, XS_RESUME, XS_SET_TARGET})
    EXPECT_EQ(rig.text(type, nuls({"1", "2", "3"})), "[EACCES]") << type;
  EXPECT_EQ(rig.ask(XS_WATCH_EVENT, nuls({"a", "b"})).payload, nuls({"ENOSYS"}));
  EXPECT_EQ(rig.ask(XS_INVALID, "").payload, nuls({"ENOSYS"}));
}

TEST(Xenstore, TransactionsAreSeenWholeOrNotAtAll) {
  XenstoreRig rig;
  const u32 first = rig.begin();
  EXPECT_EQ(rig.write("data/a", "1", first), kOk);
  EXPECT_EQ(rig.read("data/a", first), "1");
  EXPECT_EQ(rig.read("data/a"), "[ENOENT]");
  EXPECT_EQ(rig.end(first), kOk);
  EXPECT_EQ(rig.read("data/a"), "1");
  EXPECT_EQ(rig.read("data/a", first), "[ENOENT]") << "it is over";
  EXPECT_EQ(rig.end(first), "[ENOENT]");

  const u32 second = rig.begin();
  EXPECT_EQ(rig.text(XS_RM, nuls({"data/a"}), second), kOk);
  EXPECT_EQ(rig.end(second, false), kOk);
  EXPECT_EQ(rig.read("data/a"), "1");

  const u32 third = rig.begin();
  EXPECT_EQ(rig.read("data/a", third), "1");
  EXPECT_EQ(rig.write("data/a", "2"), kOk);
  EXPECT_EQ(rig.write("data/b", "3", third), kOk);
  EXPECT_EQ(rig.end(third), "[EAGAIN]");
  EXPECT_EQ(rig.read("data/b"), "[ENOENT]");

  EXPECT_EQ(rig.text(XS_TRANSACTION_START, nuls({""}), 5), "[EBUSY]");
  EXPECT_EQ(rig.text(XS_TRANSACTION_END, nuls({"X"}), 5), "[EINVAL]");
}

TEST(Xenstore, WatchesFireForANodeAndWhatIsBelow) {
  XenstoreRig rig;
  EXPECT_EQ(rig.text(XS_WATCH, nuls({"data", "token"})), kOk);
  EXPECT_EQ(rig.text(XS_WATCH, nuls({"/local/domain/1/data/a", "deep"})), kOk);
  EXPECT_EQ(rig.fired(), (Strings{"data token", "/local/domain/1/data/a deep"})) << "once at the start";
  EXPECT_EQ(rig.text(XS_WATCH, nuls({"data", "token"})), "[EEXIST]");

  rig.write("data/a/b", "1");
  EXPECT_EQ(rig.fired(), (Strings{"data/a token", "/local/domain/1/data/a deep", "data/a/b token",
                                  "/local/domain/1/data/a/b deep"}));
  rig.store.set("/local/domain/1/data/c", "by the other side");
  EXPECT_EQ(rig.fired(), Strings{"data/c token"});
  rig.store.set("/local/domain/1/name", "beside");
  EXPECT_EQ(rig.fired(), Strings{});
  rig.text(XS_RM, nuls({"data"}));
  EXPECT_EQ(rig.fired(), (Strings{"data token", "/local/domain/1/data/a deep"}))
      << "vanished with its parent";

  EXPECT_EQ(rig.text(XS_UNWATCH, nuls({"data", "token"})), kOk);
  EXPECT_EQ(rig.text(XS_UNWATCH, nuls({"data", "token"})), "[ENOENT]");
  rig.store.set("/local/domain/1/data", "again");
  EXPECT_EQ(rig.fired(), Strings{});
  EXPECT_EQ(rig.text(XS_RESET_WATCHES, nuls({""})), kOk);
  rig.store.set("/local/domain/1/data/a", "again");
  EXPECT_EQ(rig.fired(), Strings{});
}

TEST(Xenstore, ATransactionsWatchesFireAtItsEnd) {
  XenstoreRig rig;
  rig.text(XS_WATCH, nuls({"data", "t"}));
  rig.fired();
  const u32 transaction = rig.begin();
  rig.write("data/x", "1", transaction);
  EXPECT_EQ(rig.fired(), Strings{});
  EXPECT_EQ(rig.end(transaction), kOk);
  EXPECT_EQ(rig.fired(), Strings{"data/x t"});
}

TEST(Xenstore, AWatchTellsNothingOfWhatCannotBeRead) {
  XenstoreRig rig;
  EXPECT_EQ(rig.text(XS_WATCH, nuls({"/", "all"})), kOk);
  rig.fired();
  rig.store.set("/tool/secret", "changed");
  rig.store.set("/tool/another", "made");
  EXPECT_EQ(rig.store.remove(0, 0, "/tool"), 0);
  EXPECT_EQ(rig.fired(), Strings{});
  rig.store.set("/local/domain/1/name", "mine");
  EXPECT_EQ(rig.fired(), Strings{"/local/domain/1/name all"});
}

TEST(Xenstore, LongDirectoriesComeInParts) {
  XenstoreRig rig;
  std::string expected;
  for (int i = 0; i < 300; ++i) {
    const std::string name = "some-rather-long-name-" + std::to_string(1000 + i);
    ASSERT_EQ(rig.write("data/" + name, ""), kOk);
    (expected += name) += '\0';
  }
  EXPECT_EQ(rig.text(XS_DIRECTORY, nuls({"data"})), "[E2BIG]");
  std::string all;
  for (int part = 0; part < 10; ++part) {
    std::string piece = rig.text(XS_DIRECTORY_PART, nuls({"data", std::to_string(all.size())}));
    piece.erase(0, piece.find('\0') + 1);
    all += piece;
    if (piece.size() < 2 || piece[piece.size() - 2] == '\0') break;  // the empty name behind the last
  }
  EXPECT_EQ(all, expected + '\0');
}

}  // namespace
}  // namespace ringshift::xen::test
