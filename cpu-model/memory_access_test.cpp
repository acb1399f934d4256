// Accesses to guest memory: straddles, MMIO, ROM, attributes, watchpoints, and what the Tlb may hold of them.
#include "cpu-model/memory_access.h"

#include "cpu-model/control_registers.h"
#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

constexpr Gpa kVga = 0xa0000;

class Access : public CpuFixture {
 protected:
  Access() {
    enter_flat_mode();
    cpu_.state.cr0 |= kCr0Pg | kCr0Wp;
    cpu_.state.cr3 = kDirectory;
    poke<u32>(kDirectory, kTable | kP | kW | kU);
  }
  // Maps the page at gva (below 4 MiB) and forgets what the Tlb knew.
  void map(Gva gva, Gpa page, u32 bits) {
    poke<u32>(kTable + (gva >> 12) * 4, static_cast<u32>(page) | bits);
    cpu_.flush_all();
  }
  u32 pte(Gva gva) { return peek_at<u32>(kTable + (gva >> 12) * 4); }
};

class Recorder : public PhysicalMapListener {
 public:
  Recorder(PhysicalMap& phys, PageFlags attributes) : phys_(phys) { phys_.add_listener(this, attributes); }
  ~Recorder() { phys_.remove_listener(this); }
  void on_write(Gpa gpa, u32 length) override { writes.emplace_back(gpa, length); }
  void on_page_changed(Gpa) override {}
  std::vector<std::pair<Gpa, u32>> writes;

 private:
  PhysicalMap& phys_;
};

TEST_F(Access, ReadThenWriteThroughTheTlb) {
  map(0x5000, 0x345000, kP | kW);
  poke<u32>(0x345010, 0xdeadbeef);
  EXPECT_EQ(read_linear<u32>(cpu_, 0x5010, false).value(), 0xdeadbeefu);
  const TlbEntry& entry = cpu_.tlb.entry(0x5010, false);
  EXPECT_EQ(entry.read_tag, 0x5000u);
  EXPECT_EQ(entry.write_tag, Tlb::kInvalid) << "not dirty yet";
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5014, 0x11223344, false));
  EXPECT_EQ(entry.write_tag, 0x5000u);
  EXPECT_EQ(entry.read_tag, 0x5000u);
  EXPECT_EQ(peek_at<u32>(0x345014), 0x11223344u);
  EXPECT_NE(pte(0x5000) & kD, 0u);
}

TEST_F(Access, TlbMayBeStaleUntilInvlpg) {
  map(0x5000, 0x345000, kP | kW);
  EXPECT_DONE(read_linear<u8>(cpu_, 0x5000, false));
  poke<u32>(kTable + 5 * 4, 0);
  EXPECT_DONE(read_linear<u8>(cpu_, 0x5000, false));
  EXPECT_DONE(invalidate_page(cpu_, 0x5fff));
  EXPECT_FAULT(Fault::pf(0x5000, 0), read_linear<u8>(cpu_, 0x5000, false));
}

// A device's page is walked to once, until its entry is flushed; what is there is asked anew each time.
TEST_F(Access, ADevicesPageStaysInTheTlb) {
  map(0x5000, kVga, kP | kW);
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5010, 1, false));
  const u64 misses = cpu_.tlb.counters.misses;
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5010, 2, false));
  EXPECT_DONE(read_linear<u32>(cpu_, 0x5014, false));
  EXPECT_EQ(cpu_.tlb.counters.misses, misses);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).fetch_tag, Tlb::kInvalid);
  poke<u32>(kTable + 5 * 4, 0);
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5010, 3, false));
  EXPECT_DONE(invalidate_page(cpu_, 0x5000));
  EXPECT_FAULT(Fault::pf(0x5010, kPfWrite), write_linear<u32>(cpu_, 0x5010, 4, false));
}

TEST_F(Access, ADevicesPageReadFirstIsMarkedDirtyByTheWrite) {
  map(0x5000, kVga, kP | kW);
  EXPECT_DONE(read_linear<u32>(cpu_, 0x5010, false));
  EXPECT_EQ(pte(0x5000) & kD, 0u);
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5010, 1, false));
  EXPECT_NE(pte(0x5000) & kD, 0u);
}

TEST_F(Access, UserAndSupervisorEntriesAreSeparate) {
  map(0x5000, 0x345000, kP | kW);
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5000, 1, false));
  EXPECT_FAULT(Fault::pf(0x5000, kPfPresent | kPfUser), read_linear<u8>(cpu_, 0x5000, true));
}

TEST_F(Access, StraddlingWriteIsAllOrNothing) {
  map(0x5000, 0x345000, kP | kW);
  map(0x6000, 0x347000, kP);
  poke<u32>(0x345ffc, 0);
  EXPECT_FAULT(Fault::pf(0x6000, kPfPresent | kPfWrite), write_linear<u32>(cpu_, 0x5ffe, 0xaabbccdd, false));
  EXPECT_EQ(peek_at<u32>(0x345ffc), 0u);
  map(0x6000, 0x347000, kP | kW);
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5ffe, 0xaabbccdd, false));
  EXPECT_EQ(peek_at<u16>(0x345ffe), 0xccdd);
  EXPECT_EQ(peek_at<u16>(0x347000), 0xaabb);
  EXPECT_EQ(read_linear<u32>(cpu_, 0x5ffe, false).value(), 0xaabbccddu);
}

TEST_F(Access, StraddleAcrossTheTopWraps) {
  cpu_.state.cr0 &= ~u64{kCr0Pg};
  cpu_.flush_all();
  poke<u16>(0, 0x5678);
  const u32 value = read_linear<u32>(cpu_, 0xfffffffe, false).value();
  EXPECT_EQ(value, 0x5678fffeu);  // the upper half is RAM at 0, the lower MMIO
}

TEST_F(Access, ReadOfTheSecondPageFaultsBeforeMmioIsTouched) {
  map(0x5000, kVga, kP | kW);
  EXPECT_FAULT(Fault::pf(0x6000, 0), read_linear<u32>(cpu_, 0x5ffe, false));
  EXPECT_TRUE(io_.accesses.empty());
}

TEST_F(Access, ProbeRaisesAndMarksButWritesNothing) {
  map(0x5000, 0x345000, kP | kW);
  poke<u64>(0x345ff8, 0x0102030405060708);
  EXPECT_FAULT(Fault::pf(0x6000, kPfWrite), probe_write(cpu_, 0x5ffc, 8, false));
  EXPECT_DONE(probe_write(cpu_, 0x5ff8, 8, false));
  EXPECT_NE(pte(0x5000) & kD, 0u);
  EXPECT_EQ(peek_at<u64>(0x345ff8), 0x0102030405060708u);
}

TEST_F(Access, MmioGoesInAlignedPowersOfTwo) {
  map(0x5000, kVga, kP | kW);
  u8 out[13];
  EXPECT_DONE(read_linear_slow(cpu_, 0x5003, out, sizeof out, false));
  const std::vector<RecordingIo::Access> wanted{
      {kVga + 3, 1, 0, false}, {kVga + 4, 4, 0, false}, {kVga + 8, 8, 0, false}};
  EXPECT_EQ(io_.accesses, wanted);
  EXPECT_EQ(out[0], 3);
  EXPECT_EQ(out[12], 15);
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5008, 0x1234, false));
  EXPECT_EQ(io_.accesses.back(), (RecordingIo::Access{kVga + 8, 4, 0x1234, true}));
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).read_tag, Tlb::kInvalid);
}

TEST_F(Access, MmioWithoutIoReadsOnes) {
  map(0x5000, kVga, kP | kW);
  cpu_.io = nullptr;
  EXPECT_EQ(read_linear<u32>(cpu_, 0x5000, false).value(), 0xffffffffu);
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5000, 0, false));
}

TEST_F(Access, WritesToRomVanish) {
  map(0x5000, 0x345000, kP | kW);
  poke<u32>(0x345000, 7);
  phys_.set_kind(0x345000, 1, PageKind::rom);
  for (int i = 0; i < 2; ++i) EXPECT_DONE(write_linear<u32>(cpu_, 0x5000, 9, false));
  EXPECT_EQ(read_linear<u32>(cpu_, 0x5000, false).value(), 7u);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).read_tag, 0x5000u);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).write_tag, Tlb::kInvalid);
}

TEST_F(Access, WritesToCodePagesAreTold) {
  map(0x5000, 0x345000, kP | kW);
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5000, 1, false));
  Recorder recorder(phys_, kAttrBtCode);
  phys_.add_attribute(0x345000, kAttrBtCode);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).write_tag, Tlb::kInvalid) << "the page became code: flushed";
  EXPECT_EQ(read_linear<u8>(cpu_, 0x5000, false).value(), 1);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).read_tag, 0x5000u) << "plain reads stay";
  const u64 misses = cpu_.tlb.counters.misses;
  EXPECT_DONE(write_linear<u16>(cpu_, 0x5004, 2, false));
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5006, 3, false));
  EXPECT_EQ(cpu_.tlb.counters.misses, misses) << "the walk is cached";
  const std::vector<std::pair<Gpa, u32>> wanted{{0x345004, 2}, {0x345006, 4}};
  EXPECT_EQ(recorder.writes, wanted);
  EXPECT_EQ(peek_at<u32>(0x345006), 3u);
}

TEST_F(Access, CachedWalkOfACodePageStillSetsDirtyFirst) {
  map(0x5000, 0x345000, kP | kW);
  phys_.add_attribute(0x345000, kAttrInterpCode);
  EXPECT_DONE(read_linear<u8>(cpu_, 0x5000, false));
  EXPECT_EQ(pte(0x5000) & kD, 0u);
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5000, 1, false));
  EXPECT_NE(pte(0x5000) & kD, 0u);
}

TEST_F(Access, WatchedPhysicalPagesHaveNoFastPath) {
  map(0x5000, 0x345000, kP | kW);
  phys_.add_attribute(0x345000, kAttrWatch);
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5000, 1, false));
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).read_tag, Tlb::kInvalid);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).write_tag, Tlb::kInvalid);
}

TEST_F(Access, PhysicalAddressesWithoutRamReadAsMmio) {
  map(0x5000, 0x2000000, kP | kW);  // above the 16 MiB of RAM
  EXPECT_EQ(read_linear<u8>(cpu_, 0x5042, false).value(), 0x42);
  EXPECT_EQ(io_.accesses.size(), 1u);
}

TEST_F(Access, LargePageIsFlushedWhole) {
  cpu_.state.cr4 = kCr4Pse;
  poke<u32>(kDirectory + 4, 0x00800000 | kP | kW | kPs);
  EXPECT_DONE(write_linear<u8>(cpu_, 0x00401000, 1, false));
  EXPECT_DONE(write_linear<u8>(cpu_, 0x007ff000, 1, false));
  poke<u32>(kDirectory + 4, 0);
  EXPECT_DONE(invalidate_page(cpu_, 0x00500000));
  EXPECT_FAULT(Fault::pf(0x00401000, 0), read_linear<u8>(cpu_, 0x00401000, false));
  EXPECT_FAULT(Fault::pf(0x007ff000, 0), read_linear<u8>(cpu_, 0x007ff000, false));
}

TEST_F(Access, DataBreakpointsAreTrapsOnExactlyTheirBytes) {
  map(0x5000, 0x345000, kP | kW);
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5000, 1, false));
  EXPECT_DONE(write_debug_register(cpu_, 1, 0x5004));
  EXPECT_DONE(write_debug_register(cpu_, 7, 1u << 2 | 0x1u << 20 | 0x3u << 22));  // L1, write, 4 bytes
  inspect_raised();
  EXPECT_DONE(write_linear<u32>(cpu_, 0x5000, 1, false));
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5008, 1, false));
  EXPECT_DONE(read_linear<u32>(cpu_, 0x5004, false));
  EXPECT_EQ(cpu_.state.pending_dr6, 0u);
  EXPECT_FALSE(inspect_raised());
  EXPECT_DONE(write_linear<u16>(cpu_, 0x5003, 1, false));
  EXPECT_EQ(cpu_.state.pending_dr6, 2u);
  EXPECT_TRUE(inspect_raised());
  cpu_.state.pending_dr6 = 0;
  EXPECT_DONE(write_debug_register(cpu_, 7, 1u << 2 | 0x3u << 20 | 0x3u << 22));  // read or write
  EXPECT_DONE(read_linear<u8>(cpu_, 0x5007, false));
  EXPECT_EQ(cpu_.state.pending_dr6, 2u);
  EXPECT_DONE(write_debug_register(cpu_, 7, 0));
  EXPECT_DONE(write_linear<u8>(cpu_, 0x5004, 1, false));
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).write_tag, 0x5000u) << "the fast path is back";
}

TEST_F(Access, FetchStopsAtAMissingPage) {
  map(0x5000, 0x345000, kP | kU);
  poke<u32>(0x345ffc, 0x04030201);
  u8 out[15];
  EXPECT_EQ(fetch_bytes(cpu_, 0x5ffc, out, sizeof out).value(), 4u);
  EXPECT_EQ(out[3], 4);
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).fetch_tag, 0x5000u);
  EXPECT_FAULT(Fault::pf(0x6000, 0), fetch_bytes(cpu_, 0x6000, out, sizeof out));
  set_cpl(3);
  map(0x6000, 0x346000, kP);
  EXPECT_EQ(fetch_bytes(cpu_, 0x5ffc, out, sizeof out).value(), 4u);
  EXPECT_FAULT(Fault::pf(0x6000, kPfPresent | kPfUser), fetch_bytes(cpu_, 0x6000, out, 1));
  map(0x6000, 0x346000, kP | kU);
  poke<u8>(0x346000, 5);
  EXPECT_EQ(fetch_bytes(cpu_, 0x5ffc, out, sizeof out).value(), 15u);
  EXPECT_EQ(out[4], 5);
}

TEST_F(Access, FetchFromMmioGoesByByte) {
  map(0x5000, kVga, kP);
  u8 out[3];
  EXPECT_EQ(fetch_bytes(cpu_, 0x5001, out, 3).value(), 3u);
  EXPECT_EQ(out[2], 3);
  EXPECT_EQ(io_.accesses.size(), 3u);
}

TEST_F(Access, FetchReadsNoDeviceAhead) {
  map(0x4000, 0x345000, kP);
  map(0x5000, kVga, kP);
  u8 out[15];
  EXPECT_EQ(fetch_bytes(cpu_, 0x4ffe, out, sizeof out).value(), 2u);
  EXPECT_TRUE(io_.accesses.empty());
}

TEST_F(Access, FillTlbSaysWhetherTheFastPathIsOpen) {
  map(0x5000, 0x345000, kP);
  map(0x6000, kVga, kP | kW);
  EXPECT_NE(fill_tlb(cpu_, 0x5123, AccessKind::read, false).value(), nullptr);
  EXPECT_EQ(fill_tlb(cpu_, 0x6000, AccessKind::read, false).value(), nullptr);
  EXPECT_FAULT(Fault::pf(0x5123, kPfPresent | kPfWrite), fill_tlb(cpu_, 0x5123, AccessKind::write, false));
  const TlbEntry* entry = fill_tlb(cpu_, 0x5123, AccessKind::fetch, false).value();
  ASSERT_NE(entry, nullptr);
  EXPECT_EQ(entry->addend + 0x5123, reinterpret_cast<u64>(memory_.base()) + 0x345123);
  EXPECT_EQ(entry->page, 0x345000u);
}

TEST_F(Access, Cr3LoadKeepsGlobalPagesOnlyUnderPge) {
  constexpr u32 kG = 0x100;
  cpu_.state.cr4 = kCr4Pge;
  map(0x5000, 0x345000, kP | kG);
  EXPECT_DONE(read_linear<u8>(cpu_, 0x5000, false));
  EXPECT_DONE(write_control_register(cpu_, 3, kDirectory));
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).read_tag, 0x5000u);
  EXPECT_DONE(write_control_register(cpu_, 4, 0));
  EXPECT_EQ(cpu_.tlb.entry(0x5000, false).read_tag, Tlb::kInvalid);
}

}  // namespace
}  // namespace ringshift
