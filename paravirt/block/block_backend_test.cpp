// BlockBackend with a well-behaved front end: connecting, requests, closing and beginning again.
#include "paravirt/block/test_front_end.h"

namespace ringshift::xen::test {
namespace {

TEST(BlockBackend, ConnectsAndTellsOfTheDisk) {
  BlockRig rig;
  EXPECT_EQ(rig.state(), "2");
  EXPECT_EQ(rig.get("dev"), "xvda");
  EXPECT_EQ(rig.get("feature-flush-cache"), "1");
  rig.connect();
  EXPECT_EQ(rig.state(), "4");
  EXPECT_EQ(rig.get("sectors"), "64");
  EXPECT_EQ(rig.get("sector-size"), "512");
  EXPECT_EQ(rig.get("info"), "0");
  EXPECT_EQ(rig.entry(BlockRig::kRingReference).flags, GTF_permit_access | GTF_reading | GTF_writing);
}

TEST(BlockBackend, ReadsAndWritesPartsOfPages) {
  BlockRig rig;
  rig.connect();
  const u32 data = BlockRig::kDataReference;
  ASSERT_EQ(rig.ask(BLKIF_OP_READ, 5, {rig.segment(data, 2, 4), rig.segment(data + 1, 7, 7)}),
            BLKIF_RSP_OKAY);
  EXPECT_EQ(rig.data()[2 * 512 - 1], 0);
  EXPECT_EQ(rig.data()[2 * 512], 5);
  EXPECT_EQ(rig.data()[4 * 512 + 511], 7);
  EXPECT_EQ(rig.data()[5 * 512], 0);
  EXPECT_EQ(rig.data(1)[7 * 512], 8);

  std::memset(rig.data(2), 0xab, kPageSize);
  ASSERT_EQ(rig.ask(BLKIF_OP_WRITE, 56, {rig.segment(data + 2, 0, 7)}), BLKIF_RSP_OKAY);
  ASSERT_EQ(rig.ask(BLKIF_OP_FLUSH_DISKCACHE, 0, {}), BLKIF_RSP_OKAY);
  EXPECT_EQ(rig.file.sector(55), std::vector<u8>(512, 55));
  EXPECT_EQ(rig.file.sector(56), std::vector<u8>(512, 0xab));
  EXPECT_EQ(rig.file.sector(63), std::vector<u8>(512, 0xab));
}

TEST(BlockBackend, AWriteMayComeFromAReadOnlyPage) {
  BlockRig rig;
  rig.connect();
  rig.entry(BlockRig::kDataReference).flags |= GTF_readonly;
  EXPECT_EQ(rig.ask(BLKIF_OP_WRITE, 1, {rig.segment(BlockRig::kDataReference, 0, 0)}), BLKIF_RSP_OKAY);
  EXPECT_EQ(rig.ask(BLKIF_OP_READ, 1, {rig.segment(BlockRig::kDataReference, 0, 0)}), BLKIF_RSP_ERROR);
}

TEST(BlockBackend, DiscardsOrSaysThatItCannot) {
  BlockRig rig;
  rig.connect();
  xen32::blkif_request request{};
  auto& range = reinterpret_cast<xen32::blkif_request_discard&>(request);
  range = {BLKIF_OP_DISCARD, 0, 0, 7, 8, 16};
  const i16 status = rig.ask(request);
  EXPECT_EQ(rig.file.sector(8), std::vector<u8>(512, status == BLKIF_RSP_OKAY ? 0 : 8));
  EXPECT_EQ(rig.file.sector(24), std::vector<u8>(512, 24));
}

TEST(BlockBackend, AReadOnlyDiskIsNotWritten) {
  BlockRig rig(true);
  EXPECT_EQ(rig.get("mode"), "r");
  rig.connect();
  EXPECT_EQ(rig.get("info"), "4");
  const u32 data = BlockRig::kDataReference;
  EXPECT_EQ(rig.ask(BLKIF_OP_READ, 3, {rig.segment(data, 0, 7)}), BLKIF_RSP_OKAY);
  EXPECT_EQ(rig.ask(BLKIF_OP_WRITE, 3, {rig.segment(data, 0, 7)}), BLKIF_RSP_ERROR);
  EXPECT_EQ(rig.ask(BLKIF_OP_FLUSH_DISKCACHE, 0, {}), BLKIF_RSP_OKAY);
  xen32::blkif_request request{};
  reinterpret_cast<xen32::blkif_request_discard&>(request) = {BLKIF_OP_DISCARD, 0, 0, 7, 8, 16};
  EXPECT_EQ(rig.ask(request), BLKIF_RSP_ERROR);
  EXPECT_EQ(rig.file.sector(8), std::vector<u8>(512, 8));
}

TEST(BlockBackend, ManyRequestsAtOnceGoAroundTheRing) {
  BlockRig rig;
  rig.connect();
  for (int round = 0; round < 5; ++round) {
    for (u32 i = 0; i < BlockRing::kEntries; ++i) {
      xen32::blkif_request request{};
      request.operation = BLKIF_OP_READ;
      request.nr_segments = 1;
      request.id = i;
      request.sector_number = i;
      request.seg[0] = rig.segment(BlockRig::kDataReference + i / 8, i % 8, i % 8);
      rig.push(request);
    }
    rig.ring.rsp_event = rig.ring.rsp_prod + 30;
    EXPECT_EQ(rig.events.send(rig.port), 0);
    EXPECT_EQ(rig.ring.rsp_prod, rig.ring.req_prod);
    EXPECT_TRUE(rig.events.take(rig.port));
    for (u32 i = 0; i < BlockRing::kEntries; ++i) EXPECT_EQ(rig.data(i / 8)[i % 8 * 512], i);
    std::memset(rig.data(), 0, 4 * kPageSize);
  }
  EXPECT_EQ(rig.ring.req_event, rig.ring.req_prod + 1);
}

TEST(BlockBackend, NoEventThatIsNotWanted) {
  BlockRig rig;
  rig.connect();
  rig.events.take(rig.port);
  xen32::blkif_request request{};
  request.operation = BLKIF_OP_FLUSH_DISKCACHE;
  rig.push(request);
  rig.ring.rsp_event = 5;
  EXPECT_EQ(rig.events.send(rig.port), 0);
  EXPECT_EQ(rig.ring.rsp_prod, 1u);
  EXPECT_FALSE(rig.events.pending(rig.port));
}

TEST(BlockBackend, ClosesAndBeginsAgain) {
  BlockRig rig;
  for (int round = 0; round < 3; ++round) {
    rig.clear_ring();
    rig.connect();
    EXPECT_EQ(rig.state(), "4");
    EXPECT_EQ(rig.ask(BLKIF_OP_READ, 1, {rig.segment(BlockRig::kDataReference, 0, 0)}), BLKIF_RSP_OKAY);
    rig.put("state", "5");
    EXPECT_EQ(rig.state(), "5");
    EXPECT_EQ(rig.entry(BlockRig::kRingReference).flags, GTF_permit_access) << "no longer mapped";
    rig.put("state", "6");
    EXPECT_EQ(rig.state(), "6");
    rig.put("state", "1");
    EXPECT_EQ(rig.state(), "2");
    EXPECT_EQ(rig.events.close(rig.port), 0);
  }
}

}  // namespace
}  // namespace ringshift::xen::test
