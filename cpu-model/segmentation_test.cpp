// Segment limits and types, loads of segment registers with every check, LLDT, LTR, LAR, LSL, VERR, VERW.
#include "cpu-model/segmentation.h"

#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

constexpr Gpa kGdt = 0x1000, kLdt = 0x2000;

// Access bytes.
constexpr u8 kData = 0x92, kReadOnly = 0x90, kDown = 0x96, kCode = 0x9a, kExecuteOnly = 0x98,
             kConforming = 0x9e;
constexpr u8 dpl(u8 access, u8 level) { return static_cast<u8>(access | level << 5); }

class Segments : public CpuFixture {
 protected:
  Segments() {
    enter_flat_mode();
    cpu_.state.gdtr = {kGdt, 0xff, 0};
    cpu_.state.ldtr = {0x50, 0, 0x82, 0x1f, 0, kLdt};
  }
  void put(u16 selector, u8 access, u32 base = 0, u32 limit = 0xfffff, u8 flags = 0xc) {
    const u32 low = (limit & 0xffff) | base << 16;
    const u32 high =
        (base >> 16 & 0xff) | u32{access} << 8 | (limit & 0xf0000) | u32{flags} << 20 | (base & 0xff000000);
    poke<u64>(((selector & 4) != 0 ? kLdt : kGdt) + (selector & 0xfff8), u64{high} << 32 | low);
  }
  u8 access_of(u16 selector) {
    return peek_at<u8>(((selector & 4) != 0 ? kLdt : kGdt) + (selector & 0xfff8) + 5);
  }
  SegmentRegister& ds() { return cpu_.state.segment(Seg::ds); }
  bool allows(u32 offset, u32 size, AccessKind kind = AccessKind::read) {
    return segment_allows(cpu_, Seg::ds, offset, size, kind);
  }
};

TEST_F(Segments, FlatAllowsEverything) {
  EXPECT_TRUE(allows(0, 1));
  EXPECT_TRUE(allows(0xfffffffc, 4, AccessKind::write));
}

TEST_F(Segments, LimitIsTheLastByte) {
  ds() = {8, 0, 0x93, 0xffff, 0, 0x10000};
  EXPECT_TRUE(allows(0xfffc, 4));
  EXPECT_FALSE(allows(0xfffd, 4));
  EXPECT_FALSE(allows(0x10000, 1));
  EXPECT_FALSE(allows(0xffffffff, 4)) << "offset + size must not wrap into the segment";
  EXPECT_EQ(linear_address(cpu_, Seg::ds, 0x10, 4, AccessKind::read).value(), 0x10010u);
  EXPECT_FAULT(Fault::gp(), linear_address(cpu_, Seg::ds, 0x10000, 1, AccessKind::read));
  cpu_.state.segment(Seg::ss) = ds();
  EXPECT_FAULT(Fault::ss(), linear_address(cpu_, Seg::ss, 0x10000, 1, AccessKind::read));
}

TEST_F(Segments, ExpandDownIsValidAboveItsLimit) {
  ds() = {8, 0, 0x97, 0x0fff, 0, 0};
  EXPECT_FALSE(allows(0x0fff, 1));
  EXPECT_TRUE(allows(0x1000, 1));
  EXPECT_TRUE(allows(0xfffe, 2));
  EXPECT_FALSE(allows(0xffff, 2)) << "B = 0 ends at FFFF";
  ds().attributes |= kSegBig;
  EXPECT_TRUE(allows(0xffff, 2));
  EXPECT_TRUE(allows(0xfffffffc, 4));
  EXPECT_FALSE(allows(0xfffffffd, 4));
  ds().limit = 0xffffffff;
  EXPECT_FALSE(allows(0x1000, 1)) << "nothing is above the limit";
}

TEST_F(Segments, TypesAllowWhatTheySay) {
  ds() = {8, 0, kReadOnly, 0xffffffff, 0, 0};
  EXPECT_TRUE(allows(0, 4));
  EXPECT_FALSE(allows(0, 4, AccessKind::write));
  ds().attributes = kCode;
  EXPECT_TRUE(allows(0, 4));
  EXPECT_FALSE(allows(0, 4, AccessKind::write));
  ds().attributes = kExecuteOnly;
  EXPECT_FALSE(allows(0, 4));
  EXPECT_TRUE(allows(0, 4, AccessKind::fetch));
  ds().attributes = kSegUnusable;
  EXPECT_FALSE(allows(0, 1));
  ds().attributes = kCode;
  cpu_.state.cr0 = 0;
  EXPECT_TRUE(allows(0, 4, AccessKind::write)) << "real-address mode checks the limit only";
}

TEST_F(Segments, AlignmentIsCheckedAtCpl3Only) {
  cpu_.state.cr0 |= kCr0Am;
  cpu_.state.rflags |= kFlagAc;
  EXPECT_DONE(read_memory<u32>(cpu_, Seg::ds, 0x3001));
  set_cpl(3);
  EXPECT_FAULT(Fault::ac(), read_memory<u32>(cpu_, Seg::ds, 0x3001));
  EXPECT_DONE(read_memory<u32>(cpu_, Seg::ds, 0x3004));
  EXPECT_FAULT(Fault::ac(), probe_memory(cpu_, Seg::ds, 0x3001, 2));
}

TEST_F(Segments, LoadOfDataSetsAccessedAndTheHiddenPart) {
  put(0x18, dpl(kData, 3), 0x12345678, 0xabcde, 0xc);
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x1b));
  EXPECT_EQ(ds(), (SegmentRegister{0x1b, 0, 0xc0f3, 0xabcdefff, 0, 0x12345678}));
  EXPECT_EQ(access_of(0x18), 0xf3);
  put(0x18, kData, 0x400, 0x12345, 0x0);
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x18));
  EXPECT_EQ(ds(), (SegmentRegister{0x18, 0, 0x93, 0x12345, 0, 0x400}));
}

TEST_F(Segments, LoadFromTheLdt) {
  put(0x0c, kData, 0x7000);
  EXPECT_DONE(load_segment(cpu_, Seg::es, 0x0c));
  EXPECT_EQ(cpu_.state.segment(Seg::es).base, 0x7000u);
  EXPECT_FAULT(Fault::gp(0x24), load_segment(cpu_, Seg::es, 0x24));  // limit 1f
  cpu_.state.ldtr.attributes = kSegUnusable;
  EXPECT_FAULT(Fault::gp(0x0c), load_segment(cpu_, Seg::es, 0x0c));
}

TEST_F(Segments, SelectorBeyondTheTable) {
  cpu_.state.gdtr.limit = 0x1e;  // the last byte of 18 is missing
  put(0x18, kData);
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ds, 0x18));
  cpu_.state.gdtr.limit = 0x1f;
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x18));
  const Fault ts = read_descriptor(cpu_, 0x23, Vector::invalid_tss).error();
  EXPECT_EQ(ts, Fault::ts(0x20)) << "the RPL is not part of the code";
}

TEST_F(Segments, NullIsFineForDataButNotForSs) {
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 3));
  EXPECT_FALSE(ds().usable());
  EXPECT_EQ(ds().selector, 3);
  EXPECT_FAULT(Fault::gp(), read_memory<u8>(cpu_, Seg::ds, 0));
  EXPECT_FAULT(Fault::gp(), load_segment(cpu_, Seg::ss, 0));
  EXPECT_FAULT(Fault::gp(), load_segment(cpu_, Seg::ss, 3));
}

TEST_F(Segments, DataPrivilege) {
  put(0x18, dpl(kData, 2));
  set_cpl(2);
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x1a));
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ds, 0x1b));  // RPL 3 > DPL
  set_cpl(3);
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ds, 0x18));  // CPL 3 > DPL
  put(0x20, kConforming);
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x23));
  put(0x20, kCode);
  EXPECT_FAULT(Fault::gp(0x20), load_segment(cpu_, Seg::ds, 0x23));
}

TEST_F(Segments, DataTypeAndPresence) {
  put(0x18, kExecuteOnly);
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ds, 0x18));
  put(0x18, 0x82);  // LDT
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ds, 0x18));
  put(0x18, kData & 0x7f);
  EXPECT_FAULT(Fault::np(0x18), load_segment(cpu_, Seg::ds, 0x18));
  EXPECT_FAULT(Fault::ss(0x18), load_segment(cpu_, Seg::ss, 0x18));
  put(0x18, dpl(kData, 1) & 0x7f);  // privilege comes before presence
  set_cpl(2);
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ds, 0x1a));
}

TEST_F(Segments, StackSegmentMustMatchExactly) {
  put(0x18, kData);
  EXPECT_DONE(load_segment(cpu_, Seg::ss, 0x18));
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ss, 0x19));  // RPL
  put(0x18, dpl(kData, 1));
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ss, 0x18));  // DPL
  put(0x18, kReadOnly);
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ss, 0x18));
  put(0x18, kCode);
  EXPECT_FAULT(Fault::gp(0x18), load_segment(cpu_, Seg::ss, 0x18));
  put(0x18, kDown);
  EXPECT_DONE(load_segment(cpu_, Seg::ss, 0x18));
}

TEST_F(Segments, RealModeKeepsLimitAndType) {
  cpu_.state.cr0 = 0;
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x1234));
  EXPECT_EQ(ds(), (SegmentRegister{0x1234, 0, 0xc093, 0xffffffff, 0, 0x12340})) << "big real mode";
  ds() = {0, 0, kSegUnusable, 0, 0, 0};
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0x2000));
  EXPECT_EQ(ds(), (SegmentRegister{0x2000, 0, 0x93, 0xffff, 0, 0x20000}));
}

TEST_F(Segments, V86SegmentsAreFixed) {
  enter_v86(3);
  EXPECT_DONE(load_segment(cpu_, Seg::ds, 0xffff));
  EXPECT_EQ(ds(), (SegmentRegister{0xffff, 0, 0xf3, 0xffff, 0, 0xffff0}));
}

TEST_F(Segments, Lldt) {
  put(0x30, 0x82, 0x9000, 0x7f, 0);
  EXPECT_DONE(load_ldtr(cpu_, 0x30));
  EXPECT_EQ(cpu_.state.ldtr, (SegmentRegister{0x30, 0, 0x82, 0x7f, 0, 0x9000}));
  EXPECT_FAULT(Fault::gp(0x34), load_ldtr(cpu_, 0x34));
  put(0x30, 0x02);
  EXPECT_FAULT(Fault::np(0x30), load_ldtr(cpu_, 0x30));
  put(0x30, 0x89);
  EXPECT_FAULT(Fault::gp(0x30), load_ldtr(cpu_, 0x30));
  EXPECT_DONE(load_ldtr(cpu_, 0));
  EXPECT_FALSE(cpu_.state.ldtr.usable());
}

TEST_F(Segments, LtrMarksBusy) {
  put(0x38, 0x89, 0x5000, 0x67, 0);
  EXPECT_DONE(load_tr(cpu_, 0x38));
  EXPECT_EQ(cpu_.state.tr, (SegmentRegister{0x38, 0, 0x8b, 0x67, 0, 0x5000}));
  EXPECT_EQ(access_of(0x38), 0x8b);
  EXPECT_FAULT(Fault::gp(0x38), load_tr(cpu_, 0x38));  // busy now
  EXPECT_FAULT(Fault::gp(), load_tr(cpu_, 0));
  put(0x38, 0x09);
  EXPECT_FAULT(Fault::np(0x38), load_tr(cpu_, 0x38));
}

TEST_F(Segments, LarAndLslByType) {
  u32 value = 0;
  for (unsigned type = 0; type < 16; ++type) {
    put(0x40, static_cast<u8>(0x80 | type), 0, 0x123, 0);
    const bool lar = (0x1a3e & 1u << type) != 0;  // 1-5, 9, b, c
    const bool lsl = (0x0a0e & 1u << type) != 0;  // 1-3, 9, b
    EXPECT_EQ(load_access_rights(cpu_, 0x40, &value).value(), lar) << type;
    EXPECT_EQ(load_segment_limit(cpu_, 0x40, &value).value(), lsl) << type;
  }
  put(0x40, dpl(kData, 3), 0xff0000, 0xf1234, 0xc);
  EXPECT_TRUE(load_access_rights(cpu_, 0x40, &value).value());
  EXPECT_EQ(value, 0x00c0f200u);
  EXPECT_TRUE(load_segment_limit(cpu_, 0x40, &value).value());
  EXPECT_EQ(value, 0xf1234fffu);
}

TEST_F(Segments, LarRespectsPrivilegeAndNeverFaults) {
  u32 value = 0;
  put(0x40, kData);
  set_cpl(3);
  EXPECT_FALSE(load_access_rights(cpu_, 0x40, &value).value());
  put(0x40, kConforming);
  EXPECT_TRUE(load_access_rights(cpu_, 0x43, &value).value());
  EXPECT_FALSE(load_access_rights(cpu_, 0, &value).value());
  EXPECT_FALSE(load_access_rights(cpu_, 0xfff8, &value).value());
}

TEST_F(Segments, VerrAndVerw) {
  auto check = [this](u8 access, bool readable, bool writable) {
    put(0x40, access);
    EXPECT_EQ(verify_segment(cpu_, 0x40, false).value(), readable) << int{access};
    EXPECT_EQ(verify_segment(cpu_, 0x40, true).value(), writable) << int{access};
  };
  check(kData, true, true);
  check(kReadOnly, true, false);
  check(kCode, true, false);
  check(kExecuteOnly, false, false);
  check(0x89, false, false);
  set_cpl(3);
  check(kData, false, false);
  check(dpl(kData, 3), true, true);
  check(kConforming, true, false);
}

TEST_F(Segments, OuterReturnDropsWhatItMayNotUse) {
  auto& s = cpu_.state;
  s.segment(Seg::es) = {0x10, 0, 0xc093, 0xffffffff, 0, 0};
  s.segment(Seg::ds) = {0x2b, 0, 0xc0f3, 0xffffffff, 0, 0};
  s.segment(Seg::fs) = {0x20, 0, kConforming, 0xffffffff, 0, 0};
  s.segment(Seg::gs) = {0x08, 0, kCode, 0xffffffff, 0, 0};
  set_cpl(3);
  drop_inaccessible_segments(cpu_);
  EXPECT_EQ(s.segment(Seg::es).selector, 0);
  EXPECT_FALSE(s.segment(Seg::es).usable());
  EXPECT_EQ(s.segment(Seg::ds).selector, 0x2b);
  EXPECT_TRUE(s.segment(Seg::fs).usable());
  EXPECT_FALSE(s.segment(Seg::gs).usable());
}

TEST_F(Segments, AccessedBitInAReadOnlyPageFaultsAsASupervisorWrite) {
  poke<u32>(kDirectory, kTable | 7);
  poke<u32>(kTable + 4, kGdt | 1);
  put(0x18, dpl(kData, 3));
  cpu_.state.cr3 = kDirectory;
  cpu_.state.cr0 |= kCr0Pg | kCr0Wp;
  cpu_.flush_all();
  set_cpl(3);
  EXPECT_FAULT(Fault::pf(kGdt + 0x18 + 5, kPfPresent | kPfWrite), load_segment(cpu_, Seg::ds, 0x1b));
}

}  // namespace
}  // namespace ringshift
