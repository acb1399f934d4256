// RDTSC and RDTSCP in translated code.
#include <x86intrin.h>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class TscTest : public BtFixture {
 protected:
  TscTest() {
    use(BtOptions::Memory::soft);
    cpu_.state.tsc_offset = 0x123456789a;
    assemble(kCode, [](Asm& as) {
      as.mov(ecx, 77);
      as.cmp(ecx, 78);  // CF AF SF PF
      as.rdtsc();
      as.hlt();
    });
  }
  u64 counter() const { return u64{reg(kEdx)} << 32 | reg(kEax); }
};

TEST_F(TscTest, IsTheHostsScaled) {
  line_.scale = TscScale{__rdtsc() - 1'000'000, u64{7} << 40, 0xc0000000};  // 0.75
  const u64 before = line_.scale->at(__rdtsc());
  run_from(kCode);
  const u64 after = line_.scale->at(__rdtsc());
  EXPECT_GE(counter(), before + cpu_.state.tsc_offset);
  EXPECT_LE(counter(), after + cpu_.state.tsc_offset);
  EXPECT_EQ(count("exits: interpreted instruction"), 1u);  // HLT
  EXPECT_EQ(cpu_.state.eflags() & kArithmeticFlags, kFlagCf | kFlagAf | kFlagSf | kFlagPf);
  EXPECT_EQ(reg(kEcx), 77u);
}

// A core whose counter lags behind the one that the base was read on.
TEST_F(TscTest, ALittleBeforeTheBase) {
  const TscScale scale{__rdtsc() + (u64{1} << 40), u64{1} << 50, u64{1} << 31};
  line_.scale = scale;
  const u64 before = scale.at(__rdtsc());
  run_from(kCode);
  EXPECT_GE(counter(), before + cpu_.state.tsc_offset);
  EXPECT_LE(counter(), scale.at(__rdtsc()) + cpu_.state.tsc_offset);
}

TEST_F(TscTest, GoesThroughCpuIoWithoutAScale) {
  run_from(kCode);
  EXPECT_EQ(counter(), cpu_.state.tsc_offset);
  EXPECT_EQ(count("exits: interpreted instruction"), 2u);
}

// The way to time is part of the mode: a later run may come with another.
TEST_F(TscTest, FollowsWhatCpuIoOffers) {
  line_.scale = TscScale{0, u64{1} << 60, 0};
  run_from(kCode);
  EXPECT_EQ(counter(), (u64{1} << 60) + cpu_.state.tsc_offset);
  line_.scale.reset();
  run_from(kCode);
  EXPECT_EQ(counter(), cpu_.state.tsc_offset);
}

TEST_F(TscTest, TsdKeepsUserCodeFromIt) {
  line_.scale = TscScale{0, 5, 0};
  cpu_.state.cr4 |= kCr4Tsd;
  run_from(kCode);  // CPL 0 may
  EXPECT_EQ(counter(), 5 + cpu_.state.tsc_offset);
  set_cpl(3);
  cpu_.state.rip = kCode;
  // No inner stack to deliver the #GP on: the report has it first of all.
  EXPECT_EQ(engine_->run(line_), ExitReason::shutdown);
  ASSERT_FALSE(cpu_.fault_chain.empty());
  EXPECT_EQ(cpu_.fault_chain.front().fault, Fault::gp());
}

TEST_F(TscTest, RdtscpGivesTheAuxiliaryValueToo) {
  line_.scale = TscScale{0, 9, 0};
  cpu_.state.tsc_aux = 0xfeed;
  assemble(kCode, [](Asm& as) {
    as.rdtscp();
    as.hlt();
  });
  run_from(kCode);
  EXPECT_EQ(counter(), 9 + cpu_.state.tsc_offset);
  EXPECT_EQ(reg(kEcx), 0xfeedu);
}

}  // namespace
}  // namespace ringshift::bt
