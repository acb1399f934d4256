// Control and debug registers: refused values, fixed bits, PDPTE loads, breakpoints.
#include "cpu-model/control_registers.h"

#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

class ControlRegisters : public CpuFixture {
 protected:
  ControlRegisters() { enter_flat_mode(); }
  Outcome<> write(unsigned number, u32 value) { return write_control_register(cpu_, number, value); }
};

TEST_F(ControlRegisters, OnlySomeExist) {
  for (unsigned number : {1u, 5u, 6u, 7u, 8u, 15u}) {
    EXPECT_FAULT(Fault::ud(), write(number, 0));
    EXPECT_FAULT(Fault::ud(), read_control_register(cpu_, number));
  }
}

TEST_F(ControlRegisters, NeedCpl0) {
  set_cpl(1);
  EXPECT_FAULT(Fault::gp(), read_control_register(cpu_, 0));
  EXPECT_FAULT(Fault::gp(), write(3, 0));
  EXPECT_FAULT(Fault::gp(), clear_task_switched(cpu_));
  EXPECT_FAULT(Fault::gp(), load_machine_status_word(cpu_, 1));
  EXPECT_FAULT(Fault::gp(), invalidate_page(cpu_, 0));
  EXPECT_FAULT(Fault::gp(), read_debug_register(cpu_, 0));
}

TEST_F(ControlRegisters, Cr0RefusesImpossibleCombinations) {
  const u64 before = cpu_.state.cr0;
  EXPECT_FAULT(Fault::gp(), write(0, kCr0Pg));
  EXPECT_FAULT(Fault::gp(), write(0, kCr0Pe | kCr0Nw));
  EXPECT_EQ(cpu_.state.cr0, before);
  EXPECT_DONE(write(0, kCr0Pe | kCr0Nw | kCr0Cd));
}

TEST_F(ControlRegisters, Cr0FixedBits) {
  EXPECT_DONE(write(0, kCr0Pe | 0x1ff0ffc0));
  EXPECT_EQ(cpu_.state.cr0, kCr0Pe | kCr0Et | 0u) << "unknown bits read as 0, ET as 1";
}

TEST_F(ControlRegisters, LmswSetsPeButNeverClearsIt) {
  cpu_.state.cr0 = kCr0Et | kCr0Cd | kCr0Nw;
  EXPECT_DONE(load_machine_status_word(cpu_, 0xfff1));
  EXPECT_EQ(cpu_.state.cr0, kCr0Et | kCr0Cd | kCr0Nw | kCr0Pe);
  EXPECT_DONE(load_machine_status_word(cpu_, kCr0Ts));
  EXPECT_EQ(cpu_.state.cr0 & 0xf, kCr0Pe | kCr0Ts);
  EXPECT_DONE(clear_task_switched(cpu_));
  EXPECT_EQ(cpu_.state.cr0 & 0xf, kCr0Pe);
}

TEST_F(ControlRegisters, Cr4TakesOnlyWhatCpuidHas) {
  EXPECT_DONE(write(4, 0x7bf));
  EXPECT_EQ(cpu_.state.cr4, 0x7bfu);
  EXPECT_FAULT(Fault::gp(), write(4, kCr4Mce));
  for (unsigned bit = 11; bit < 32; ++bit) EXPECT_FAULT(Fault::gp(), write(4, 1u << bit));
  EXPECT_EQ(cpu_.state.cr4, 0x7bfu);
}

TEST_F(ControlRegisters, Cr4FollowsAnotherModelsCpuid) {
  const CpuidTable p3 = CpuidTable::create("pentium3").value();
  Cpu cpu(phys_, p3, control_, tracer_);
  EXPECT_DONE(write_control_register(cpu, 4, kCr4OsXmmExcpt | kCr4OsFxsr));
}

TEST_F(ControlRegisters, EnablingPaePagingLoadsPdptes) {
  poke<u64>(0x20000, 0x5001);
  poke<u64>(0x20008, 0x1 | 0x2);  // reserved
  EXPECT_DONE(write(4, kCr4Pae));
  EXPECT_DONE(write(3, 0x20000));  // not paging yet: nothing is loaded, nothing checked
  EXPECT_EQ(cpu_.state.pdpte[0], 0u);
  EXPECT_FAULT(Fault::gp(), write(0, kCr0Pe | kCr0Pg));
  EXPECT_EQ(cpu_.state.cr0 & kCr0Pg, 0u) << "refused as a whole";
  poke<u64>(0x20008, 0);
  EXPECT_DONE(write(0, kCr0Pe | kCr0Pg));
  EXPECT_EQ(cpu_.state.pdpte[0], 0x5001u);
  poke<u64>(0x20000, 0x6001);
  EXPECT_DONE(write(4, kCr4Pae | kCr4Pge));
  EXPECT_EQ(cpu_.state.pdpte[0], 0x6001u);
  poke<u64>(0x30000, u64{1} << 40 | 1);
  EXPECT_FAULT(Fault::gp(), write(3, 0x30000));
  EXPECT_EQ(cpu_.state.cr3, 0x20000u);
  EXPECT_EQ(cpu_.state.pdpte[0], 0x6001u);
}

TEST_F(ControlRegisters, FlushesAreThoseOfTheManual) {
  FlushCounter seen;
  cpu_.observer = &seen;
  EXPECT_DONE(write(0, kCr0Pe | kCr0Ts | kCr0Mp));
  EXPECT_DONE(write(4, kCr4De | kCr4Tsd | kCr4OsFxsr));
  EXPECT_EQ(seen.all, 0);
  EXPECT_DONE(write(0, kCr0Pe | kCr0Wp));
  EXPECT_EQ(seen.all, 1);
  EXPECT_DONE(write(0, kCr0Pe | kCr0Wp | kCr0Pg));
  EXPECT_EQ(seen.all, 2);
  EXPECT_DONE(write(4, kCr4Pse));
  EXPECT_EQ(seen.all, 3);
  EXPECT_DONE(write(3, 0x1000));
  EXPECT_EQ(seen.all, 4) << "without PGE nothing is global";
  EXPECT_DONE(write(4, kCr4Pse | kCr4Pge));
  EXPECT_EQ(seen.all, 5);
  EXPECT_DONE(write(3, 0x1000));
  EXPECT_EQ(seen.space, 1);
  EXPECT_DONE(invalidate_page(cpu_, 0x1000));
  EXPECT_EQ(seen.page, 1);
  EXPECT_EQ(seen.all, 5);
  cpu_.observer = nullptr;
}

TEST_F(ControlRegisters, Dr4AndDr5AreAliasesUnlessDe) {
  EXPECT_DONE(write_debug_register(cpu_, 5, 0x0));
  EXPECT_EQ(read_debug_register(cpu_, 7).value(), 0x400u);
  EXPECT_EQ(read_debug_register(cpu_, 4).value(), 0xffff0ff0u);
  cpu_.state.cr4 = kCr4De;
  EXPECT_FAULT(Fault::ud(), read_debug_register(cpu_, 4));
  EXPECT_FAULT(Fault::ud(), write_debug_register(cpu_, 5, 0));
}

TEST_F(ControlRegisters, DebugRegistersFixedBits) {
  EXPECT_DONE(write_debug_register(cpu_, 6, 0));
  EXPECT_EQ(read_debug_register(cpu_, 6).value(), 0xffff0ff0u);
  EXPECT_DONE(write_debug_register(cpu_, 6, 0xffffffff));
  EXPECT_EQ(read_debug_register(cpu_, 6).value(), 0xffffefffu);
  EXPECT_DONE(write_debug_register(cpu_, 7, 0xffffdfff));
  EXPECT_EQ(read_debug_register(cpu_, 7).value(), 0xffff07ffu);
}

TEST_F(ControlRegisters, GeneralDetectGuardsDebugRegisters) {
  EXPECT_DONE(write_debug_register(cpu_, 7, 1u << 13));
  EXPECT_FAULT(Fault::db(1u << 13), read_debug_register(cpu_, 0));
  EXPECT_FAULT(Fault::db(1u << 13), write_debug_register(cpu_, 7, 0));
}

TEST_F(ControlRegisters, BreakpointsMatchByKindAndBytes) {
  cpu_.state.dr[0] = 0x1000;
  cpu_.state.dr[1] = 0x2003;  // length 4: 2000-2003
  cpu_.state.dr[2] = 0x3f8;
  cpu_.state.dr[3] = 0xffffffff;
  const u32 enables = 1u << 0 | 1u << 3 | 1u << 4 | 1u << 6;
  cpu_.state.dr[7] = 0x400 | enables | 0x0u << 16 | 0xfu << 20 | 0x6u << 24 | 0x1u << 28;
  EXPECT_EQ(match_breakpoints(cpu_, 0x1000, 1, AccessKind::fetch), 1u);
  EXPECT_EQ(match_breakpoints(cpu_, 0x0fff, 4, AccessKind::fetch), 0u) << "only the first byte counts";
  EXPECT_EQ(match_breakpoints(cpu_, 0x1000, 1, AccessKind::read), 0u);
  EXPECT_EQ(match_breakpoints(cpu_, 0x1ffd, 4, AccessKind::read), 2u);
  EXPECT_EQ(match_breakpoints(cpu_, 0x1ffc, 4, AccessKind::read), 0u);
  EXPECT_EQ(match_breakpoints(cpu_, 0x2004, 1, AccessKind::write), 0u);
  EXPECT_EQ(match_breakpoints(cpu_, 0xfffffffe, 4, AccessKind::write), 8u);
  EXPECT_EQ(match_breakpoints(cpu_, 0xfffffffe, 4, AccessKind::read), 0u);
  EXPECT_EQ(match_io_breakpoints(cpu_, 0x3f8, 1), 0u) << "only with CR4.DE";
  cpu_.state.cr4 = kCr4De;
  EXPECT_EQ(match_io_breakpoints(cpu_, 0x3f9, 1), 4u);  // length 2
  EXPECT_EQ(match_io_breakpoints(cpu_, 0x3fa, 1), 0u);
  EXPECT_EQ(match_breakpoints(cpu_, 0x3f8, 1, AccessKind::write), 0u);
  cpu_.state.dr[7] &= ~u64{enables};
  EXPECT_EQ(match_breakpoints(cpu_, 0x1000, 1, AccessKind::fetch), 0u);
  EXPECT_FALSE(breakpoints_armed(cpu_));
}

}  // namespace
}  // namespace ringshift
