// The Tlb: what each kind of flush drops, and what it leaves.
#include "cpu-model/tlb.h"

#include <gtest/gtest.h>

#include <memory>

namespace ringshift {
namespace {

class TlbTest : public ::testing::Test {
 protected:
  std::unique_ptr<Tlb> tlb_ = std::make_unique<Tlb>();

  void put(Gva gva, Gpa page, bool user, bool global, bool large = false) {
    tlb_->fill(gva, user, {gva, gva, 0, Tlb::kInvalid, gva | kTlbMapped | (global ? kTlbGlobal : 0u), page},
               large);
  }
  bool has(Gva gva, bool user) { return tlb_->entry(gva, user).read_tag == gva; }
};

TEST_F(TlbTest, AddressSpaceFlushKeepsGlobalEntries) {
  put(0x1000, 0x5000, false, true);
  put(0x2000, 0x6000, false, false);
  put(0x1000, 0x5000, true, false);
  tlb_->flush_non_global();
  EXPECT_TRUE(has(0x1000, false));
  EXPECT_FALSE(has(0x2000, false));
  EXPECT_FALSE(has(0x1000, true));
  tlb_->flush_all();
  EXPECT_FALSE(has(0x1000, false));
}

TEST_F(TlbTest, PageFlushDropsGlobalEntriesOfBothPrivileges) {
  put(0x1000, 0x5000, false, true);
  put(0x1000, 0x5000, true, true);
  put(0x3000, 0x7000, true, true);
  EXPECT_FALSE(tlb_->flush_page(0x1000));
  EXPECT_FALSE(has(0x1000, false));
  EXPECT_FALSE(has(0x1000, true));
  EXPECT_TRUE(has(0x3000, true));
}

TEST_F(TlbTest, PageFlushDropsAllPiecesOfALargePage) {
  put(0xc0401000, 0x1000, false, true, true);
  put(0xc0702000, 0x2000, false, true, true);
  put(0xc0803000, 0x3000, false, true, true);
  EXPECT_TRUE(tlb_->flush_page(0xc05ff000));
  EXPECT_FALSE(has(0xc0401000, false));
  EXPECT_FALSE(has(0xc0702000, false));
  EXPECT_TRUE(has(0xc0803000, false));
  EXPECT_FALSE(tlb_->flush_page(0xc0401000)) << "nothing of it is left";
}

TEST_F(TlbTest, LargePagesAreRememberedAcrossAddressSpaces) {
  put(0xc0401000, 0x1000, false, true, true);
  tlb_->flush_non_global();
  EXPECT_TRUE(tlb_->flush_page(0xc0402000));
  EXPECT_FALSE(has(0xc0401000, false));
}

TEST_F(TlbTest, PhysicalFlushDropsEveryAlias) {
  put(0x1000, 0x9000, false, false);
  put(0x8000, 0x9000, false, true);
  put(0x7ff000, 0x9000, true, false);
  put(0x2000, 0xa000, true, false);
  tlb_->flush_physical(0x9000);
  EXPECT_FALSE(has(0x1000, false));
  EXPECT_FALSE(has(0x8000, false));
  EXPECT_FALSE(has(0x7ff000, true));
  EXPECT_TRUE(has(0x2000, true));
}

TEST_F(TlbTest, PhysicalFlushForgetsReplacedEntries) {
  put(0x1000, 0x9000, false, false);
  put(0x1000 + (Tlb::kEntries << kPageShift), 0xa000, false, false);
  tlb_->flush_physical(0x9000);
  EXPECT_TRUE(has(0x1000 + (Tlb::kEntries << kPageShift), false));
}

}  // namespace
}  // namespace ringshift
