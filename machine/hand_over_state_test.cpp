// Hand-over of the state of a CPU: every place where something could be lost.
#include "machine/hand_over_fixture.h"

namespace ringshift {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class HandOverState : public HandOver {};
INSTANTIATE_TEST_SUITE_P(Ways, HandOverState, kHandOverWays, hand_over_way);

TEST_P(HandOverState, InterruptShadowOfSti) {
  expect_equal_everywhere(
      [](Asm& as) {
        as.nop();
        as.nop();
        as.sti();        // 10002
        as.mov(ecx, 5);  // 10003: the shadow holds what waits off until behind this
        as.mov(edx, 6);  // 10008
        as.cli();
        as.hlt();
      },
      {interrupt(1)});
  EXPECT_EQ(log(), (Log{{0x20, 0x10008}}));
}

TEST_P(HandOverState, DebugExceptionHeldOffByMovSs) {
  // MOV SS from a watched word: the #DB comes behind the next instruction (SDM vol. 3A 6.8.3).
  poke<u32>(kData, 16);
  cpu_.state.dr[0] = kData;
  cpu_.state.dr[7] = 0x400 | 1 | 3u << 16 | 3u << 18;
  expect_equal_everywhere(
      [](Asm& as) {
        as.nop();
        as.mov(ss, word_ptr(kData));  // 10001
        as.nop();                     // behind 7 bytes
        as.mov(ecx, 7);
        as.hlt();
      },
      {});
  ASSERT_EQ(log().size(), 1u);
  EXPECT_EQ(log()[0].first, 1u);
  EXPECT_EQ(wanted_.ram[log()[0].second - 1], 0x90);  // behind the NOP
}

TEST_P(HandOverState, SingleSteps) {
  expect_equal_everywhere(
      [](Asm& as) {
        as.pushfd();
        as.or_(dword_ptr(esp), kFlagTf);
        as.popfd();
        as.inc(ecx);
        as.mov(edx, 1);
        as.pushfd();
        as.and_(dword_ptr(esp), ~kFlagTf);
        as.popfd();
        as.inc(ecx);
        as.hlt();
      },
      {});
  EXPECT_EQ(log().size(), 5u);
}

TEST_P(HandOverState, NmiMaskedUntilIret) {
  // The second NMI arrives while the first's handler runs, and waits for its IRET.
  expect_equal_everywhere(
      [](Asm& as) {
        as.nop();
        for (int i = 0; i < 10; ++i) as.inc(ecx);
        as.hlt();
      },
      {nmi(2), nmi(6)});
  ASSERT_EQ(log().size(), 2u);
  EXPECT_EQ(log()[0].first, 2u);
  EXPECT_EQ(log()[1], log()[0]);  // at once after the first, before another instruction
}

TEST_P(HandOverState, PendingX87Exception) {
  u32 waiting = 0;
  expect_equal_everywhere(
      [&](Asm& as) {
        as.fninit();
        as.fldcw(word_ptr(kData));
        as.fld1();
        as.fldz();
        as.fdivp();  // 1 / 0: pending from here on
        as.nop();
        as.mov(ecx, 3);
        waiting = kCode + static_cast<u32>(as.offset());
        as.fldpi();  // reports it
        as.hlt();
      },
      {{0, [this] { poke<u16>(kData, 0x037b); }}});
  EXPECT_EQ(log(), (Log{{16, waiting}}));
}

TEST_P(HandOverState, SseStateAndMxcsr) {
  cpu_.state.cr4 |= kCr4OsFxsr | kCr4OsXmmExcpt;
  poke<u32>(kData, 0x5f80);  // round up
  poke<u32>(kData + 16, 0x3f800001);
  expect_equal_everywhere(
      [](Asm& as) {
        as.ldmxcsr(dword_ptr(kData));
        as.movss(xmm1, dword_ptr(kData + 16));
        as.movaps(xmm7, xmm1);
        as.mulss(xmm7, xmm1);
        as.divss(xmm1, xmm7);
        as.movss(dword_ptr(kData + 32), xmm7);
        as.stmxcsr(dword_ptr(kData + 36));
        as.hlt();
      },
      {});
}

TEST_P(HandOverState, HaltedUntilAnInterrupt) {
  // While halted no instruction retires: the interrupt comes, and the hand-over before or after it.
  const u32 behind = kCode + 2;
  assemble(kCode, [](Asm& as) {
    as.sti();
    as.hlt();
    as.cli();
    as.hlt();
  });
  initial_ = cpu_.state;
  initial_ram_.assign(memory_.base(), memory_.base() + kCompared);
  for (const bool switch_first : {false, true}) {
    for (const auto& [first, second] : {std::pair{"bt", "interp"}, std::pair{"interp", "bt"}}) {
      halted_ = [&, to = second] {
        if (switch_first) hand_over(to);
        EXPECT_NE(cpu_.state.halted, 0);
        control_.raise_event(kEventInterrupt);
        if (!switch_first) hand_over(to);
      };
      wanted_ = run_switching(first, ~u64{0}, second, {});
      EXPECT_EQ(set_->current_name(), second);
      EXPECT_EQ(wanted_.retired, 9u + 4) << "the handler's, and ours";
      EXPECT_EQ(log(), (Log{{0x20, behind}}));
    }
  }
}

TEST_P(HandOverState, TimeStampCounterGoesOn) {
  cpu_.state.tsc_offset = 12345;
  expect_equal_everywhere(
      [](Asm& as) {
        for (int i = 0; i < 4; ++i) {
          as.rdtsc();
          as.mov(dword_ptr(kData + i * 4), eax);
        }
        as.hlt();
      },
      {});
}

}  // namespace
}  // namespace ringshift
