// One translation for code at several addresses: EIP comes from where the page is mapped.
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class Relocation : public BothMemories {
 protected:
  static constexpr u32 kAlias = 0x200000, kOther = 0x300000;

  void SetUp() override {
    enter_paging();
    for (const u32 table : {kTable, kOtherTable})
      for (const u32 alias : {kAlias, kOther})
        for (u32 page = 0; page < 2; ++page)
          poke<u32>(table + ((alias >> kPageShift) + page) * 4, (kCode + page * kPageSize) | kMapped);
  }
  u64 blocks() const { return count("bt: blocks translated"); }
};
INSTANTIATE_TEST_SUITE_P(Bt, Relocation, kEachWay, way_name);

// Calls and returns, a loop, an interpreted instruction and a port access within; a divide error at the end.
TEST_P(Relocation, ReturnAddressesFaultsAndHelpersSeeTheirOwnEip) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), function = as.newLabel(), here = as.newLabel();
    as.mov(ecx, 5);
    as.bind(loop);
    as.call(function);
    as.in(al, 0x60);
    as.sldt(bx);  // interpreted
    as.dec(ecx);
    as.jnz(loop);
    as.call(here);
    as.bind(here);
    as.pop(edx);
    as.lea(edi, ptr(edx, 0));
    as.div(ecx);
    as.hlt();
    as.bind(function);
    as.inc(esi);
    as.ret();
  });
  u64 translated = 0;
  u32 fault_offset = 0, here_offset = 0;
  for (const u32 at : {kCode, kAlias, kOther, kAlias, kCode}) {
    cpu_.state.set_reg32(kEsi, 0);
    cpu_.state.set_reg32(kEsp, kStackTop);
    run_from(at);
    EXPECT_EQ(vector(), 0u);
    EXPECT_EQ(reg(kEsi), 5u);
    const u32 saved = peek_at<u32>(reg(kEsp));
    if (translated == 0) {
      fault_offset = saved - at;
      here_offset = reg(kEdi) - at;
      translated = blocks();
    }
    EXPECT_EQ(saved, at + fault_offset);
    EXPECT_EQ(reg(kEdi), at + here_offset);
    EXPECT_LE(fault_offset, kPageSize);
    EXPECT_LE(here_offset, fault_offset);
    // For the first address alone; then for all of them, once.
    EXPECT_LE(blocks(), 2 * translated + 2) << "the HLT behind the fault, and little else";
  }
}

// Two pages that call each other, mapped together at one place and the other way round at another.
TEST_P(Relocation, BranchesBetweenPagesFollowTheMapping) {
  static constexpr u32 kNear = kCode, kFar = kCode + kPageSize;
  assemble(kNear, [](Asm& as) {
    as.mov(eax, 1);
    as.jmp(asmjit::imm(kFar));
  });
  assemble(kFar, [](Asm& as) {
    as.add(eax, 2);
    as.hlt();
  });
  assemble(kCode + 2 * kPageSize, [](Asm& as) {
    as.add(eax, 0x20);
    as.hlt();
  });
  for (int round = 0; round < 3; ++round) {
    run_from(kNear);
    EXPECT_EQ(reg(kEax), 3u);
    run_from(kAlias);
    EXPECT_EQ(reg(kEax), 3u);
  }
  // At kOther the second page is another one.
  poke<u32>(kTable + ((kOther >> kPageShift) + 1) * 4, (kCode + 2 * kPageSize) | kMapped);
  for (int round = 0; round < 3; ++round) {
    run_from(kOther);
    EXPECT_EQ(reg(kEax), 0x21u);
    run_from(kAlias);
    EXPECT_EQ(reg(kEax), 3u);
    run_from(kNear);
    EXPECT_EQ(reg(kEax), 3u);
  }
}

// Code written through one address is gone at all.
TEST_P(Relocation, WritesDropItEverywhere) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, 1);
    as.hlt();
  });
  for (const u32 at : {kCode, kAlias, kOther}) run_from(at);
  poke<u8>(kData, 0);
  assemble(kCode + kPageSize, [](Asm& as) {
    as.mov(byte_ptr(kAlias + 1), 7);
    as.hlt();
  });
  run_from(kCode + kPageSize);
  for (const u32 at : {kCode, kAlias, kOther}) {
    run_from(at);
    EXPECT_EQ(reg(kEax), 7u);
  }
}

}  // namespace
}  // namespace ringshift::bt
