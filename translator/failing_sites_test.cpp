// Which instructions are translated otherwise after they have failed.
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class FailingSitesTest : public BtFixture {
 protected:
  static constexpr u32 kRounds = 50, kHandler = kCode + 0x400, kAbsent = 0x100000;

  // Reads kRounds times from EBX, which `step` is added to each time; nothing is mapped there.
  void run_reads(u32 step) {
    use(BtOptions::Memory::window);
    enter_paging();
    for (u32 page = 0; page < kRounds; ++page) poke<u32>(kTable + ((kAbsent >> kPageShift) + page) * 4, 0);
    poke<u64>(kIdt + 14 * 8,
              u64{kHandler & 0xffff} | u64{8} << 16 | u64{0x8e00} << 32 | u64{kHandler >> 16} << 48);
    assemble(kHandler, [](Asm& as) {
      as.inc(esi);
      as.add(dword_ptr(esp, 4), 2);  // past the MOV
      as.add(esp, 4);
      as.iretd();
    });
    assemble(kCode, [&](Asm& as) {
      const asmjit::Label loop = as.newLabel();
      as.mov(ecx, kRounds);
      as.mov(ebx, kAbsent);
      as.bind(loop);
      as.mov(eax, ptr(ebx));
      as.add(ebx, step);
      as.dec(ecx);
      as.jnz(loop);
      as.hlt();
    });
    cpu_.state.set_reg32(kEsp, kStackTop - 0x100);  // frames of five words lie within the page
    run();
    EXPECT_EQ(reg(kEsi), kRounds) << "each read raises #PF";
  }
};

TEST_F(FailingSitesTest, FaultsOnOnePageAgainAndAgainGoByLookups) {
  run_reads(0);
  EXPECT_EQ(count("bt: retranslations of failing instructions"), 1u);
  EXPECT_LT(count("windows: host faults"), 20u);
  EXPECT_LT(count("exits: interpreted instruction"), 10u)
      << "IRETD with RF, as faults leave it, is no exception";
}

TEST_F(FailingSitesTest, FaultsOnNewPagesKeepTheWindow) {
  run_reads(kPageSize);
  EXPECT_EQ(count("bt: retranslations of failing instructions"), 0u);
  EXPECT_GE(count("windows: host faults"), kRounds);
}

// The handler goes on behind the DIV.
TEST_F(FailingSitesTest, DivideErrorsAgainAndAgainAreInterpreted) {
  use(BtOptions::Memory::window);
  poke<u64>(kIdt, u64{kHandler & 0xffff} | u64{8} << 16 | u64{0x8e00} << 32 | u64{kHandler >> 16} << 48);
  assemble(kHandler, [](Asm& as) {
    as.inc(esi);
    as.add(dword_ptr(esp), 2);
    as.iretd();
  });
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, kRounds);
    as.bind(loop);
    as.mov(eax, ecx);
    as.xor_(edx, edx);
    as.mov(ebx, ecx);
    as.and_(ebx, 1);  // every other one divides by zero
    as.div(ebx);
    as.add(edi, eax);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEsi), kRounds / 2);
  EXPECT_EQ(reg(kEdi), kRounds * (kRounds + 1) / 2);
  EXPECT_LE(count("exits: host fault"), 16u);
  EXPECT_EQ(count("bt: retranslations of failing instructions"), 1u);
}

TEST_F(FailingSitesTest, MmioAgainAndAgainIsInterpreted) {
  constexpr u32 kDevice = 0xfee00000;
  use(BtOptions::Memory::soft);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, kRounds);
    as.bind(loop);
    as.mov(eax, ptr(kDevice));
    as.mov(ptr(kData), eax);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(peek_at<u32>(kData), ~0u);
  EXPECT_LE(count("exits: lookup miss: interpreted"), 20u);
  EXPECT_EQ(count("bt: retranslations of failing instructions"), 1u) << "not the store to RAM";
}

}  // namespace
}  // namespace ringshift::bt
