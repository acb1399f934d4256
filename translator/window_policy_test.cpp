// Which instructions a window's faults turn to lookups.
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class WindowPolicy : public BtFixture {
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
    run();
    EXPECT_EQ(reg(kEsi), kRounds) << "each read raises #PF";
  }
};

TEST_F(WindowPolicy, FaultsOnOnePageAgainAndAgainGoByLookups) {
  run_reads(0);
  EXPECT_EQ(count("windows: retranslations to lookups"), 1u);
  EXPECT_LT(count("windows: host faults"), 20u);
}

TEST_F(WindowPolicy, FaultsOnNewPagesKeepTheWindow) {
  run_reads(kPageSize);
  EXPECT_EQ(count("windows: retranslations to lookups"), 0u);
  EXPECT_GE(count("windows: host faults"), kRounds);
}

}  // namespace
}  // namespace ringshift::bt
