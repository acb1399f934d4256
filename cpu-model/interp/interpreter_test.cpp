// The interpreter's own rules: self-modifying code, restart of REP, single-step, shadows, HLT, events.
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class InterpreterTest : public InterpFixture {};

// mov byte [100c], 41; nop * 7. The store makes an INC ECX of the NOP at 100c; DMA makes one of the NOP at
// 1006.
TEST_F(InterpreterTest, CodeMayChangeWhatFollows) {
  run({0xc6, 0x05, 0x0c, 0x10, 0, 0, 0x41, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0x90, 0xf4});
  EXPECT_EQ(reg(kEcx), 1u);
  cpu_.state.halted = 0;
  cpu_.state.rip = kCode;
  EXPECT_TRUE(phys_.write(kCode + 7, "\x41", 1));
  interp_.run(test_io_);
  EXPECT_EQ(reg(kEcx), 3u);
}

// mov ecx, 3; 1: inc dword [imm of the next]; mov eax, 0; loop 1b
TEST_F(InterpreterTest, CodeMayChangeTheNextInstruction) {
  run({0xb9, 0x03, 0, 0, 0, 0xff, 0x05, 0x0c, 0x10, 0, 0, 0xb8, 0, 0, 0, 0, 0xe2, 0xf3, 0xf4});
  EXPECT_EQ(reg(kEax), 3u);
}

// HLT is the last byte of a page: the next one is not looked at, or its entry would say so.
TEST_F(InterpreterTest, ThePageBehindAnInstructionIsNotAccessed) {
  for (u32 page = 0; page < 32; ++page) poke<u32>(kTable + page * 4, page << kPageShift | kP | kW);
  poke<u32>(kDirectory, kTable | kP | kW);
  cpu_.state.cr3 = kDirectory;
  cpu_.state.cr0 |= kCr0Pg;
  cpu_.flush_all();
  constexpr u32 kHlt = kCode + kPageSize - 1;
  put_code({0xf4}, kHlt);
  cpu_.state.rip = kHlt;
  EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
  EXPECT_EQ(peek_at<u32>(kTable + (kHlt >> kPageShift) * 4) & kA, kA);
  EXPECT_EQ(peek_at<u32>(kTable + ((kHlt + 1) >> kPageShift) * 4) & kA, 0u);
}

// The fault comes at 5080: what was stored before it stays, registers say so, EIP is the instruction's.
TEST_F(InterpreterTest, RepFaultsInTheMiddle) {
  cpu_.state.segment(Seg::es).limit = 0x507f;
  run({0xb9, 0x00, 0x01, 0, 0, 0xbf, 0x00, 0x50, 0, 0, 0xb0, 0x5a, 0xf3, 0xaa, 0xf4});
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(reg(kEdi), 0x5080u);
  EXPECT_EQ(reg(kEcx), 0x80u);
  EXPECT_EQ(stack(4), kCode + 12);
  EXPECT_EQ(peek_at<u8>(0x507f), 0x5a);
  EXPECT_EQ(peek_at<u8>(0x5080), 0);
}

TEST_F(InterpreterTest, LongRepIsDoneInRoundsAndCountsOnce) {
  cpu_.state.set_reg32(kEcx, 0x8000);
  cpu_.state.set_reg32(kEdi, 0x10000);
  cpu_.state.set_reg32(kEax, 0x77);
  run({0xf3, 0xaa, 0xf4});
  EXPECT_EQ(reg(kEdi), 0x18000u);
  EXPECT_EQ(peek_at<u8>(0x17fff), 0x77);
  EXPECT_EQ(control_.retired, 2u);
}

// pushf; or dword [esp], 100; popf; nop; nop: POPF doesn't trap, the first NOP does.
TEST_F(InterpreterTest, PopfTrapsAfterTheNextInstruction) {
  run({0x9c, 0x81, 0x0c, 0x24, 0x00, 0x01, 0, 0, 0x9d, 0x90, 0x90});
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(stack(0), kCode + 10);
  EXPECT_TRUE((cpu_.state.dr[6] & (1u << 14)) != 0);
  EXPECT_FALSE(has_flag(kFlagTf));
}

// The same, but with mov ss, ax after POPF: it doesn't trap either.
TEST_F(InterpreterTest, MovSsHoldsTheSingleStepOff) {
  cpu_.state.set_reg32(kEax, 0x10);
  run({0x9c, 0x81, 0x0c, 0x24, 0x00, 0x01, 0, 0, 0x9d, 0x8e, 0xd0, 0x90, 0x90, 0x90});
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(stack(0), kCode + 12);
}

TEST_F(InterpreterTest, SingleStepTrapsAfterEachElement) {
  cpu_.state.rflags |= kFlagTf;
  cpu_.state.set_reg32(kEcx, 5);
  cpu_.state.set_reg32(kEdi, kData);
  run({0xf3, 0xaa, 0xf4});
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(stack(0), kCode);
  EXPECT_EQ(reg(kEcx), 4u);
}

TEST_F(InterpreterTest, InstructionBreakpoint) {
  cpu_.state.dr[0] = kCode + 1;
  cpu_.state.dr[7] = 0x402;
  run({0x90, 0x40, 0xf4});
  EXPECT_TRUE(in_handler(1));
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_EQ(stack(0), kCode + 1);
  // The handler is to set RF (SDM vol. 3B 17.3.1.1).
  EXPECT_TRUE((stack(8) & kFlagRf) == 0);
  EXPECT_EQ(cpu_.state.dr[6] & 0xf, 1u);
}

TEST_F(InterpreterTest, ResumeFlagPassesTheBreakpointOnce) {
  cpu_.state.dr[0] = kCode;
  cpu_.state.dr[7] = 0x402;
  cpu_.state.rflags |= kFlagRf;
  put_code({0x40, 0xeb, 0xfd});  // inc eax; jmp back
  steps(2);
  EXPECT_EQ(reg(kEax), 1u);
  EXPECT_FALSE(has_flag(kFlagRf));
  EXPECT_FALSE(interp_.step(true));
  EXPECT_EQ(cpu_.state.eip(), handler_of(1));
}

// sti; nop; nop: the interrupt that waits comes after the first NOP.
TEST_F(InterpreterTest, StiHoldsInterruptsOffForOneInstruction) {
  test_io_.vector = 0x30;
  control_.raise_event(kEventInterrupt);
  run({0xfb, 0x90, 0x90, 0xf4});
  EXPECT_TRUE(in_handler(0x30));
  EXPECT_EQ(stack(0), kCode + 2);
}

// sti; hlt: the interrupt ends the HLT.
TEST_F(InterpreterTest, InterruptEndsHlt) {
  run({0xfb, 0xf4, 0x90});
  EXPECT_EQ(cpu_.state.eip(), kCode + 2);
  EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
  test_io_.vector = 0x30;
  control_.raise_event(kEventInterrupt);
  EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
  EXPECT_TRUE(in_handler(0x30));
  EXPECT_EQ(stack(0), kCode + 2);
}

TEST_F(InterpreterTest, MaskedInterruptDoesNotEndHlt) {
  test_io_.vector = 0x30;
  control_.raise_event(kEventInterrupt);
  run({0xf4});
  EXPECT_EQ(cpu_.state.eip(), kCode + 1);
}

TEST_F(InterpreterTest, NmiEndsHltWhateverIfSays) {
  run({0xf4, 0x90});
  control_.raise_event(kEventNmi);
  EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
  EXPECT_TRUE(in_handler(2));
}

TEST_F(InterpreterTest, ServiceAndExitEvents) {
  put_code({0xeb, 0xfe});
  control_.raise_event(kEventService | kEventExit);
  EXPECT_EQ(interp_.run(test_io_), ExitReason::requested);
  EXPECT_EQ(control_.events.load(), kEventService);
}

TEST_F(InterpreterTest, DeadlineCallsService) {
  control_.exact_count = true;
  control_.deadline = 3;
  run({0x90, 0x90, 0x90, 0x90, 0xf4});
  EXPECT_GE(test_io_.serviced, 1u);
}

// nop; nop; mov eax, 0, of which CS's limit leaves one byte: #GP before any of it is done.
TEST_F(InterpreterTest, FetchBeyondTheLimitFaults) {
  cpu_.state.segment(Seg::cs).limit = kCode + 2;
  run({0x90, 0x90, 0xb8, 0x00, 0x00, 0x00, 0x00});
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(stack(0), 0u);
  EXPECT_EQ(stack(4), kCode + 2);
}

// mov eax, 11223344 from 8ffe; hlt
TEST_F(InterpreterTest, InstructionAcrossPages) {
  put_code({0xb8, 0x44, 0x33, 0x22, 0x11, 0xf4}, 0x8ffe);
  cpu_.state.rip = 0x8ffe;
  EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
  EXPECT_EQ(reg(kEax), 0x11223344u);
  // Its second page changes.
  put_code({0x55}, 0x9002);
  cpu_.state.rip = 0x8ffe;
  cpu_.state.halted = 0;
  EXPECT_EQ(interp_.run(test_io_), ExitReason::halted);
  EXPECT_EQ(reg(kEax), 0x55223344u);
}

TEST_F(InterpreterTest, TripleFaultShutsDown) {
  cpu_.state.idtr.limit = 0;
  put_code({0x0f, 0x0b});
  EXPECT_EQ(interp_.run(test_io_), ExitReason::shutdown);
}

TEST_F(InterpreterTest, UncachedStepsLeaveNoAttribute) {
  put_code({0x40, 0x40});
  cpu_.io = &test_io_;
  EXPECT_TRUE(interp_.step(false));
  EXPECT_EQ(phys_.flags(kCode) & kAttrInterpCode, 0);
  EXPECT_TRUE(interp_.step(true));
  EXPECT_NE(phys_.flags(kCode) & kAttrInterpCode, 0);
}

// The new task's T bit and a null CS: the fault comes first, finds no IDT, and is the last that happens.
TEST_F(InterpreterTest, NoDebugTrapBehindAShutdown) {
  constexpr u32 kNewTask = 0x6000, kOldTask = 0x6800;
  poke<u64>(kGdt + 0x18, 0x0000890060000067);  // available TSS, base 6000h
  poke<u64>(kGdt + 0x20, 0x00008b0068000067);  // the old one, busy
  cpu_.state.gdtr.limit = 0x27;
  cpu_.state.idtr.limit = 0;
  cpu_.state.tr = {0x20, 0, 0x8b, 0x67, 0, kOldTask};
  poke<u16>(kNewTask + 100, 1);
  const u64 dr6 = cpu_.state.dr[6];
  put_code({0xea, 0, 0, 0, 0, 0x18, 0});  // jmp 18h:0
  EXPECT_EQ(interp_.run(test_io_), ExitReason::shutdown);
  EXPECT_EQ(cpu_.state.tr.base, kNewTask);
  EXPECT_EQ(cpu_.state.dr[6], dr6);
  EXPECT_EQ(cpu_.fault_chain.size(), 4u);  // #TS, #GP at its gate, #DF, #GP at that one's
}

}  // namespace
}  // namespace ringshift
