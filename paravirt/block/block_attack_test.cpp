// BlockBackend against hostile front ends: forged parameters, requests beyond the disk, ring indices, grants.
#include <random>

#include "paravirt/block/test_front_end.h"

namespace ringshift::xen::test {
namespace {

const u32 kData = BlockRig::kDataReference;

// The guest is told to close, can't do anything through the ring, and may begin again.
void expect_closed(BlockRig& rig) {
  EXPECT_EQ(rig.state(), "5");
  EXPECT_EQ(rig.entry(BlockRig::kRingReference).flags & (GTF_reading | GTF_writing), 0);
  rig.put("state", "6");
  rig.put("state", "1");
  EXPECT_EQ(rig.state(), "2");
}

TEST(BlockAttack, ParametersThatCannotBe) {
  struct Forgery {
    const char* key;
    std::string value;
  };
  const Forgery forgeries[] = {
      {"ring-ref", ""},           {"ring-ref", "-1"},          {"ring-ref", "4294967295"},
      {"ring-ref", "9999999999"}, {"ring-ref", "10x"},         {"ring-ref", "511"},
      {"ring-ref", "513"},        {"event-channel", "0"},      {"event-channel", "1024"},
      {"event-channel", ""},      {"event-channel", "999999"}, {"event-channel", " 1"},
      {"protocol", "x86_64-abi"}, {"protocol", "arm-abi"},     {"protocol", std::string(2000, 'p')},
  };
  for (const Forgery& forgery : forgeries) {
    BlockRig rig;
    rig.put("ring-ref", std::to_string(BlockRig::kRingReference));
    rig.put("event-channel", std::to_string(rig.events.alloc_unbound(0)));
    rig.put(forgery.key, forgery.value);
    rig.put("state", "3");
    expect_closed(rig);
    rig.connect();
    EXPECT_EQ(rig.state(), "4") << "and the right ones still do";
  }
}

TEST(BlockAttack, ARingPageThatIsNotTheGuestsOrNotPlain) {
  {
    BlockRig rig;
    rig.entry(BlockRig::kRingReference).frame = 1;
    rig.connect();
    EXPECT_EQ(rig.state(), "5");
  }
  {
    BlockRig rig;
    rig.events.domain.page_tables.insert(BlockRig::kRing);
    rig.connect();
    EXPECT_EQ(rig.state(), "5");
  }
  {
    BlockRig rig;
    rig.connect();
    rig.events.domain.page_tables.insert(BlockRig::kRing);  // once it is connected
    rig.push({});
    EXPECT_EQ(rig.events.send(rig.port), 0);
    EXPECT_EQ(rig.state(), "5");
  }
}

TEST(BlockAttack, AnEventChannelOfSomethingElse) {
  BlockRig rig;
  FakeListener other;
  const u32 taken = rig.events.alloc_unbound(0);
  ASSERT_TRUE(rig.events.channels.connect(taken, other));
  rig.put("ring-ref", std::to_string(BlockRig::kRingReference));
  rig.put("event-channel", std::to_string(taken));
  rig.put("state", "3");
  expect_closed(rig);
  EXPECT_EQ(rig.events.send(taken), 0);
  EXPECT_EQ(other.events, 1) << "it stays the other's";
}

TEST(BlockAttack, RequestsBeyondTheDiskOrThePage) {
  BlockRig rig;
  rig.connect();
  const auto one = rig.segment(kData, 0, 0);
  const auto page = rig.segment(kData, 0, 7);
  for (const u8 operation : {BLKIF_OP_READ, BLKIF_OP_WRITE}) {
    for (const u64 sector : {u64{64}, u64{65}, ~u64{0}, u64{1} << 63, u64{1} << 55, ~u64{0} / 512})
      EXPECT_EQ(rig.ask(operation, sector, {one}), BLKIF_RSP_ERROR) << sector;
    EXPECT_EQ(rig.ask(operation, 57, {page}), BLKIF_RSP_ERROR);
    EXPECT_EQ(rig.ask(operation, ~u64{0} - 7, {page}), BLKIF_RSP_ERROR);
    EXPECT_EQ(rig.ask(operation, 0, {rig.segment(kData, 0, 8)}), BLKIF_RSP_ERROR);
    EXPECT_EQ(rig.ask(operation, 0, {rig.segment(kData, 255, 255)}), BLKIF_RSP_ERROR);
    EXPECT_EQ(rig.ask(operation, 0, {rig.segment(kData, 5, 4)}), BLKIF_RSP_ERROR);
    EXPECT_EQ(rig.ask(operation, 0, {}), BLKIF_RSP_ERROR);
    for (const u8 count : {u8{12}, u8{255}}) {
      xen32::blkif_request request{};
      request.operation = operation;
      request.nr_segments = count;
      EXPECT_EQ(rig.ask(request), BLKIF_RSP_ERROR);
    }
  }
  for (const auto& [sector, count] : {std::pair<u64, u64>{64, 1}, {0, 65}, {~u64{0}, 2}, {1, ~u64{0}}}) {
    xen32::blkif_request request{};
    reinterpret_cast<xen32::blkif_request_discard&>(request) = {BLKIF_OP_DISCARD, 0, 0, 1, sector, count};
    EXPECT_EQ(rig.ask(request), BLKIF_RSP_ERROR);
  }
  for (u64 i = 0; i < DiskFile::kSectors; ++i) EXPECT_EQ(rig.file.sector(i), std::vector<u8>(512, i));
  EXPECT_EQ(::lseek(UniqueFd(::open(rig.file.path.c_str(), O_RDONLY)).get(), 0, SEEK_END), 64 * 512);
}

TEST(BlockAttack, WhatIsNotOffered) {
  BlockRig rig;
  rig.connect();
  for (const u8 operation : {BLKIF_OP_WRITE_BARRIER, BLKIF_OP_RESERVED_1, BLKIF_OP_INDIRECT, 7, 255})
    EXPECT_EQ(rig.ask(operation, 0, {rig.segment(kData, 0, 0)}), BLKIF_RSP_EOPNOTSUPP) << int{operation};
  xen32::blkif_request request{};
  reinterpret_cast<xen32::blkif_request_discard&>(request) = {
      BLKIF_OP_DISCARD, BLKIF_DISCARD_SECURE, 0, 1, 0, 1};
  EXPECT_EQ(rig.ask(request), BLKIF_RSP_EOPNOTSUPP);
}

TEST(BlockAttack, DataPagesThatAreNotGranted) {
  BlockRig rig;
  rig.connect();
  for (const u32 reference : {u32{0}, u32{511}, u32{512}, ~u32{0}}) {
    EXPECT_EQ(rig.ask(BLKIF_OP_READ, 0, {rig.segment(reference, 0, 7)}), BLKIF_RSP_ERROR);
    EXPECT_EQ(rig.ask(BLKIF_OP_WRITE, 0, {rig.segment(reference, 0, 7)}), BLKIF_RSP_ERROR);
  }
  rig.events.domain.page_tables.insert(BlockRig::kData);
  EXPECT_EQ(rig.ask(BLKIF_OP_READ, 9, {rig.segment(kData, 0, 7)}), BLKIF_RSP_ERROR);
  EXPECT_EQ(rig.data()[0], 0) << "a page table keeps its contents";
  rig.entry(kData + 1).frame = 7;
  EXPECT_EQ(rig.ask(BLKIF_OP_READ, 9, {rig.segment(kData + 1, 0, 7)}), BLKIF_RSP_ERROR);
}

TEST(BlockAttack, RingIndicesThatJump) {
  for (const u32 jump : {u32{33}, u32{1000}, u32{0x8000'0000}, u32{0xffff'ffff}}) {
    BlockRig rig;
    rig.connect();
    EXPECT_EQ(rig.ask(BLKIF_OP_READ, 0, {rig.segment(kData, 0, 0)}), BLKIF_RSP_OKAY);
    rig.ring.req_prod += jump;
    EXPECT_EQ(rig.events.send(rig.port), 0);
    EXPECT_EQ(rig.ring.rsp_prod, 1u);
    expect_closed(rig);
  }
  BlockRig rig;
  rig.ring.req_prod = 1000;  // before it connects
  rig.connect();
  expect_closed(rig);
}

TEST(BlockAttack, StatesInAnyOrder) {
  std::mt19937 random(4);
  BlockRig rig;
  for (int i = 0; i < 20'000; ++i) {
    switch (random() % 6) {
      case 0:
        rig.put("ring-ref", std::to_string(random() % 30));
        break;
      case 1:
        rig.put("event-channel", std::to_string(random() % 8));
        break;
      case 2: {
        xen32::evtchn_alloc_unbound alloc{DOMID_SELF, 0, 0};
        rig.events.op(EVTCHNOP_alloc_unbound, alloc);
        break;
      }
      case 3: {
        xen32::evtchn_close close{static_cast<u32>(random() % 8)};
        rig.events.op(EVTCHNOP_close, close);
        break;
      }
      case 4: {
        xen32::evtchn_send send{static_cast<u32>(random() % 8)};
        rig.ring.req_prod += random() % 3;
        rig.events.op(EVTCHNOP_send, send);
        break;
      }
      default:
        rig.put("state", std::to_string(random() % 10));
    }
  }
  // A front end that removes its own node is gone.
  EXPECT_EQ(rig.store.remove(FakeDomain::kDomain, 0, rig.front), 0);
  EXPECT_EQ(rig.state(), "6");
  EXPECT_EQ(rig.store.write(FakeDomain::kDomain, 0, rig.front + "/state", "3"), EACCES);
}

TEST(BlockAttack, RandomRings) {
  std::mt19937 random(4);
  for (int round = 0; round < 300; ++round) {
    BlockRig rig;
    for (u32 i = 0; i < kPageSize; ++i)
      rig.events.domain.page(BlockRig::kRing)[i] = static_cast<u8>(random());
    rig.ring.rsp_prod = random() % 2 == 0 ? random() : 0;
    rig.ring.req_prod = rig.ring.rsp_prod + random() % 34;
    for (u32 i = 0; i < BlockRing::kEntries; ++i) {
      auto& request =
          *reinterpret_cast<xen32::blkif_request*>(rig.events.domain.page(BlockRig::kRing) + 64 + i * 108);
      request.operation = static_cast<u8>(random() % 7);
      request.nr_segments = static_cast<u8>(random() % 14);
      request.sector_number = random() % 80;
      for (auto& segment : request.seg)
        segment = rig.segment(random() % 40, static_cast<u8>(random() % 9), static_cast<u8>(random() % 9));
    }
    rig.connect();
    rig.events.send(rig.port);
  }
}

}  // namespace
}  // namespace ringshift::xen::test
