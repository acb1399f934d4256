// Page walks of every form: what is mapped, what faults with which code, which entries get A and D.
#include "cpu-model/paging.h"

#include "cpu-model/control_registers.h"
#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

constexpr u64 kNx = u64{1} << 63;
constexpr Gpa kPage = 0x345000;
constexpr Gpa kPdpt = 0x20020;  // 32-byte aligned, not page-aligned
constexpr Gva kGva = 0x00c03123;
constexpr Gpa kPdeAt = kDirectory + 3 * 4, kPteAt = kTable + 3 * 4;

class Walk : public CpuFixture {
 protected:
  Walk() {
    enter_flat_mode();
    cpu_.state.cr0 |= kCr0Pg;
    cpu_.state.cr3 = kDirectory;
  }
  void map32(u32 pde_bits, u32 pte_bits) {
    poke<u32>(kPdeAt, kTable | pde_bits);
    poke<u32>(kPteAt, kPage | pte_bits);
  }
  Outcome<PageTranslation> go(AccessKind kind, bool user) { return walk(cpu_, kGva, kind, user); }
};

TEST_F(Walk, WithoutPagingIsIdentity) {
  cpu_.state.cr0 &= ~u64{kCr0Pg};
  const auto t = go(AccessKind::write, true).value();
  EXPECT_EQ(t.gpa, kGva);
  EXPECT_TRUE(t.writable && t.global);
}

TEST_F(Walk, ReadSetsAccessedOnly) {
  map32(kP | kW, kP | kW);
  const auto t = go(AccessKind::read, false).value();
  EXPECT_EQ(t.gpa, kPage | 0x123);
  EXPECT_FALSE(t.writable) << "D is clear: the first write must walk";
  EXPECT_EQ(peek_at<u32>(kPdeAt), kTable | kP | kW | kA);
  EXPECT_EQ(peek_at<u32>(kPteAt), kPage | kP | kW | kA);
}

TEST_F(Walk, WriteSetsDirtyInTheLeafOnly) {
  map32(kP | kW, kP | kW);
  EXPECT_TRUE(go(AccessKind::write, false)->writable);
  EXPECT_EQ(peek_at<u32>(kPdeAt), kTable | kP | kW | kA);
  EXPECT_EQ(peek_at<u32>(kPteAt), kPage | kP | kW | kA | kD);
}

TEST_F(Walk, FaultChangesNoEntry) {
  map32(kP | kW | kU, kP | kU);
  EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfWrite | kPfUser), go(AccessKind::write, true));
  EXPECT_EQ(peek_at<u32>(kPdeAt), kTable | kP | kW | kU);
  EXPECT_EQ(peek_at<u32>(kPteAt), kPage | kP | kU);
}

TEST_F(Walk, NotPresentAtEitherLevel) {
  map32(0, kP);
  EXPECT_FAULT(Fault::pf(kGva, 0), go(AccessKind::read, false));
  EXPECT_FAULT(Fault::pf(kGva, kPfWrite | kPfUser), go(AccessKind::write, true));
  map32(kP, kU | kW);
  EXPECT_FAULT(Fault::pf(kGva, kPfUser), go(AccessKind::read, true));
  EXPECT_FAULT(Fault::pf(kGva, 0), go(AccessKind::fetch, false));  // no I/D bit without NX
}

TEST_F(Walk, UserNeedsUserAtBothLevels) {
  for (const auto& [pde, pte] : {std::pair{kU, 0u}, std::pair{0u, kU}}) {
    map32(kP | pde, kP | pte);
    EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfUser), go(AccessKind::read, true));
    EXPECT_DONE(go(AccessKind::read, false));
  }
  map32(kP | kU, kP | kU);
  EXPECT_DONE(go(AccessKind::read, true));
}

TEST_F(Walk, WriteNeedsWritableAtBothLevels) {
  for (const auto& [pde, pte] : {std::pair{kW, 0u}, std::pair{0u, kW}}) {
    map32(kP | kU | pde, kP | kU | pte);
    EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfWrite | kPfUser), go(AccessKind::write, true));
  }
}

TEST_F(Walk, SupervisorWritesHonourWp) {
  map32(kP, kP);
  EXPECT_TRUE(go(AccessKind::write, false)->writable);
  cpu_.state.cr0 |= kCr0Wp;
  EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfWrite), go(AccessKind::write, false));
  EXPECT_FALSE(go(AccessKind::read, false)->writable) << "D is set now, yet WP forbids";
}

TEST_F(Walk, LargePageNeedsPse) {
  poke<u32>(kPdeAt, 0x00800000 | kP | kW | kPs);
  EXPECT_FAULT(Fault::pf(kGva, 0), go(AccessKind::read, false));  // PS ignored: a table at 800000, empty
  cpu_.state.cr4 = kCr4Pse;
  const auto t = go(AccessKind::write, false).value();
  EXPECT_EQ(t.gpa, 0x00800000u | (kGva & 0x3fffff));
  EXPECT_TRUE(t.large);
  EXPECT_EQ(peek_at<u32>(kPdeAt) & (kA | kD), kA | kD);
}

TEST_F(Walk, LargePageReservedBitsFault) {
  cpu_.state.cr4 = kCr4Pse;
  for (unsigned bit = 13; bit <= 21; ++bit) {
    poke<u32>(kPdeAt, kP | kW | kU | kPs | 1u << bit);
    EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfReserved | kPfUser), go(AccessKind::read, true));
  }
  poke<u32>(kPdeAt, kP | kPs | 1u << 12);  // PAT
  EXPECT_DONE(go(AccessKind::read, false));
}

TEST_F(Walk, GlobalCountsOnlyWithPge) {
  map32(kP, kP | kG);
  EXPECT_FALSE(go(AccessKind::read, false)->global);
  cpu_.state.cr4 = kCr4Pge;
  EXPECT_TRUE(go(AccessKind::read, false)->global);
}

TEST_F(Walk, TablesOutsideMemoryAreNotPresent) {
  poke<u32>(kPdeAt, 0xfee00000 | kP | kW | kU);
  EXPECT_FAULT(Fault::pf(kGva, 0), go(AccessKind::read, false));
  cpu_.state.cr3 = 0xfffff000;
  EXPECT_FAULT(Fault::pf(kGva, kPfWrite), go(AccessKind::write, false));
}

TEST_F(Walk, A20MasksPageAndTables) {
  poke<u32>(kPdeAt, (kTable | 0x100000) | kP | kW);
  poke<u32>(kPteAt, 0x545000 | kP | kW);
  cpu_.state.a20_masked = 1;
  EXPECT_EQ(go(AccessKind::read, false)->gpa, 0x445123u);
}

TEST_F(Walk, RomTablesAreNotWritten) {
  map32(kP | kW, kP | kW);
  phys_.set_kind(kDirectory, 2, PageKind::rom);
  const auto t = go(AccessKind::write, false).value();
  EXPECT_EQ(t.gpa, kPage | 0x123);
  EXPECT_EQ(peek_at<u32>(kPteAt), kPage | kP | kW);
}

TEST_F(Walk, PeekNeitherFaultsNorMarks) {
  map32(kP, kP);
  Gpa gpa = 0;
  EXPECT_TRUE(peek(cpu_, kGva, &gpa));
  EXPECT_EQ(gpa, kPage | 0x123);
  EXPECT_EQ(peek_at<u32>(kPteAt), kPage | kP);
  EXPECT_FALSE(peek(cpu_, 0x10000000, &gpa));
}

TEST_F(Walk, AccessedUpdateIsToldToTrackers) {
  struct Listener : PhysicalMapListener {
    std::vector<std::pair<Gpa, u32>> writes;
    void on_write(Gpa gpa, u32 length) override { writes.emplace_back(gpa, length); }
    void on_page_changed(Gpa) override {}
  } listener;
  phys_.add_listener(&listener, kAttrPageTable);
  phys_.add_attribute(kTable, kAttrPageTable);
  map32(kP | kW, kP | kW);
  EXPECT_DONE(go(AccessKind::read, false));
  EXPECT_DONE(go(AccessKind::read, false));
  const std::vector<std::pair<Gpa, u32>> wanted{{kPteAt, 4}};
  EXPECT_EQ(listener.writes, wanted)
      << "once, for the table with the attribute, and not when A is set already";
  phys_.remove_listener(&listener);
}

class WalkPae : public Walk {
 protected:
  static constexpr Gpa kPde = kDirectory + 6 * 8, kPte = kTable + 3 * 8;
  WalkPae() {
    cpu_.state.cr4 = kCr4Pae;
    cpu_.state.cr3 = kPdpt;
    poke<u64>(kPdpt, kDirectory | kP);
    EXPECT_TRUE(load_pdptes(cpu_, kPdpt).has_value());
  }
  void map(u64 pde_bits, u64 pte_bits) {
    poke<u64>(kPde, kTable | pde_bits);
    poke<u64>(kPte, kPage | pte_bits);
  }
};

TEST_F(WalkPae, MapsThroughThreeLevels) {
  map(kP | kW, kP | kW);
  EXPECT_EQ(go(AccessKind::write, false)->gpa, kPage | 0x123);
  EXPECT_EQ(peek_at<u64>(kPde), kTable | kP | kW | kA);
  EXPECT_EQ(peek_at<u64>(kPte), kPage | kP | kW | kA | kD);
}

TEST_F(WalkPae, UsesThePdpteRegistersNotMemory) {
  map(kP, kP);
  poke<u64>(kPdpt, 0);
  EXPECT_DONE(go(AccessKind::read, false));
  EXPECT_DONE(load_pdptes(cpu_, kPdpt));
  EXPECT_FAULT(Fault::pf(kGva, 0), go(AccessKind::read, false));
}

TEST_F(WalkPae, ReservedBitsOfPdptesAreGp) {
  for (unsigned bit : {1u, 2u, 5u, 6u, 7u, 8u, 36u, 51u, 62u, 63u}) {
    poke<u64>(kPdpt + 8, kP | u64{1} << bit);
    EXPECT_FAULT(Fault::gp(), load_pdptes(cpu_, kPdpt));
    poke<u64>(kPdpt + 8, u64{1} << bit);  // not present: anything goes
    EXPECT_DONE(load_pdptes(cpu_, kPdpt));
  }
  EXPECT_FAULT(Fault::gp(), load_pdptes(cpu_, 0xfffff000));
}

TEST_F(WalkPae, ReservedBitsOfEntries) {
  const u32 error = kPfPresent | kPfReserved;
  for (unsigned bit : {36u, 52u, 62u, 63u}) {  // 63: EFER.NXE is clear
    map(kP | u64{1} << bit, kP);
    EXPECT_FAULT(Fault::pf(kGva, error), go(AccessKind::read, false));
    map(kP, kP | u64{1} << bit);
    EXPECT_FAULT(Fault::pf(kGva, error), go(AccessKind::fetch, false));
  }
  for (unsigned bit = 13; bit <= 20; ++bit) {
    poke<u64>(kPde, kP | kPs | u64{1} << bit);
    EXPECT_FAULT(Fault::pf(kGva, error), go(AccessKind::read, false));
  }
}

TEST_F(WalkPae, LargePagesNeedNoPse) {
  poke<u64>(kPde, 0x600000 | kP | kW | kPs);
  const auto t = go(AccessKind::write, false).value();
  EXPECT_EQ(t.gpa, 0x600000u | (kGva & 0x1fffff));
  EXPECT_TRUE(t.large);
}

TEST_F(WalkPae, NoExecute) {
  cpu_.state.efer = kEferNxe;
  for (const auto& [pde, pte] : {std::pair{kNx, u64{0}}, std::pair{u64{0}, kNx}}) {
    map(kP | kU | pde, kP | kU | pte);
    EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfFetch | kPfUser), go(AccessKind::fetch, true));
    EXPECT_FAULT(Fault::pf(kGva, kPfPresent | kPfFetch), go(AccessKind::fetch, false));
    EXPECT_FALSE(go(AccessKind::read, true)->executable);
  }
  map(kP, kP);
  EXPECT_TRUE(go(AccessKind::fetch, false)->executable) << "and a supervisor may run user or own pages";
  map(0, 0);
  EXPECT_FAULT(Fault::pf(kGva, kPfFetch), go(AccessKind::fetch, false));
}

TEST_F(WalkPae, PagesAbove4GiBAreWalked) {
  map(kP, kP | u64{1} << 35);
  EXPECT_EQ(go(AccessKind::read, false)->gpa, (u64{1} << 35) | kPage | 0x123);
}

}  // namespace
}  // namespace ringshift
