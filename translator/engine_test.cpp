// Guest programs on the engine: links, indirect jumps, faults, interrupts, the direction flag.
#include <chrono>
#include <thread>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

INSTANTIATE_TEST_SUITE_P(Bt, BothMemories, kEachWay, way_name);

TEST_P(BothMemories, HotLoopIsLinked) {
  if (!links()) GTEST_SKIP();
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 1000000);
    as.xor_(eax, eax);
    as.bind(loop);
    as.add(eax, ecx);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEax), static_cast<u32>(u64{1000000} * 1000001 / 2));
  EXPECT_LE(count("exits: unlinked branch"), 4u);
  EXPECT_GE(count("bt: links made"), 2u);
  EXPECT_LE(count("bt: blocks translated"), 4u);
}

// A loop that goes round in one block and one of two, which is left in each of its copies.
TEST_P(BothMemories, InstructionsAreCountedWhereAskedFor) {
  use(GetParam(), u64{4} << 20, true);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label outer = as.newLabel(), inner = as.newLabel();
    as.mov(edx, 100);
    as.bind(outer);
    as.mov(ecx, edx);
    as.bind(inner);
    as.dec(ecx);
    as.jnz(inner);
    as.dec(edx);
    as.jnz(outer);
    as.hlt();
  });
  run();
  // HLT is counted twice: with its block, and by the interpreter, which executes it.
  EXPECT_EQ(count("bt: instructions"), 1u + 100 * 3 + 2 * (100 * 101 / 2) + 2);
}

// A loop whose block has two side exits, each taken or not in all ways, and a branch that ends it.
TEST_P(BothMemories, SideExits) {
  static constexpr u32 kRounds = 256;
  use(GetParam(), u64{4} << 20, true);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), second = as.newLabel(), third = as.newLabel(),
                        next = as.newLabel();
    as.mov(ecx, kRounds);
    as.bind(loop);
    as.test(cl, 1);
    as.jnz(second);
    as.add(eax, 1);
    as.bind(second);
    as.test(cl, 2);
    as.jnz(third);
    as.add(eax, 0x100);
    as.bind(third);
    as.test(cl, 4);
    as.jnz(next);
    as.add(eax, 0x10000);
    as.bind(next);
    as.db(0x74);  // JZ to the next instruction
    as.db(0x00);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  cpu_.state.set_reg32(kEax, 0);
  run();
  constexpr u32 kHalf = kRounds / 2;
  EXPECT_EQ(reg(kEax), kHalf * 0x010101);
  EXPECT_EQ(count("bt: instructions"), 1u + kRounds * 9 + 3 * kHalf + 2);  // HLT twice, as above
}

TEST_P(BothMemories, IndirectJumpsHitTheJumpTable) {
  if (!links()) GTEST_SKIP();
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), callee = as.newLabel();
    as.mov(ecx, 10000);
    as.xor_(eax, eax);
    as.bind(loop);
    as.call(callee);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
    as.bind(callee);
    as.inc(eax);
    as.ret();
  });
  run();
  EXPECT_EQ(reg(kEax), 10000u);
  EXPECT_LE(count("exits: jump-table miss"), 4u);
  EXPECT_LE(count("exits: unlinked branch"), 8u);
}

TEST_P(BothMemories, PopfLoadsTheFlagsAndLetsInterruptsIn) {
  assemble(kCode, [](Asm& as) {
    as.push(kFlagFixed | kFlagIf | kFlagCf | kFlagOf | kFlagZf);
    as.popfd();
    as.mov(ebx, 1);  // not reached: the interrupt comes first
    as.hlt();
  });
  control_.raise_event(kEventInterrupt);
  cpu_.state.set_reg32(kEbx, 0);
  run();
  EXPECT_EQ(vector(), u32{LineIo::kVector});
  EXPECT_EQ(reg(kEbx), 0u);
  EXPECT_EQ(peek_at<u32>(reg(kEsp)), kCode + 6);
  EXPECT_EQ(peek_at<u32>(reg(kEsp) + 8), kFlagFixed | kFlagIf | kFlagCf | kFlagOf | kFlagZf);
  EXPECT_EQ(reg(kEsp), kStackTop - 12);
}

// The interrupt has no handler to go to: the CPU is not to execute HLT, or to wait in it.
TEST_P(BothMemories, AnInterruptMayEndTheCpu) {
  cpu_.state.idtr.limit = 0;
  for (const bool sti : {false, true}) {
    assemble(kCode, [&](Asm& as) {
      as.push(kFlagFixed | kFlagIf);
      sti ? as.sti() : as.popfd();
      as.hlt();
    });
    cpu_.state.rip = kCode;
    cpu_.state.rflags = kFlagFixed;
    control_.raise_event(kEventInterrupt);
    EXPECT_EQ(engine_->run(line_), ExitReason::shutdown);
    EXPECT_EQ(cpu_.state.shutdown, 1);
    cpu_.state.shutdown = cpu_.state.halted = 0;
  }
}

TEST_P(BothMemories, PopfOfRareFlags) {
  assemble(kCode, [](Asm& as) {
    as.push(kFlagFixed | kFlagId | kFlagDf | kFlagSf);
    as.popfd();
    as.pushfd();
    as.pop(eax);
    as.push(kFlagFixed | kFlagPf);
    as.popfd();
    as.seto(bl);
    as.setp(bh);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEax), kFlagFixed | kFlagId | kFlagDf | kFlagSf);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagPf);
  EXPECT_EQ(reg(kEbx) & 0xffff, 0x0100u);
}

// What stands on two pages that aren't global hangs on both mappings: no fixed link, but no exit either.
TEST_P(BothMemories, BranchesToStraddlingInstructionsStayInTheCache) {
  if (!links()) GTEST_SKIP();
  enter_paging();
  constexpr u32 kStraddling = kCode + kPageSize - 2;
  assemble(kStraddling - 16, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), straddling = as.newLabel();
    as.mov(ecx, 10000);
    as.xor_(eax, eax);
    as.bind(loop);
    as.dec(ecx);
    as.jnz(straddling);
    as.hlt();
    while (as.offset() < 16) as.nop();
    as.bind(straddling);
    as.add(eax, 0x12345);  // 5 bytes
    as.jmp(loop);
  });
  run_from(kStraddling - 16);
  EXPECT_EQ(reg(kEax), 9999u * 0x12345u);
  EXPECT_LE(count("exits: unlinked branch"), 8u);
  EXPECT_LE(count("exits: jump-table miss"), 8u);
}

TEST_P(BothMemories, FlagsLiveAcrossIndirectJumpsAndMemory) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label callee = as.newLabel();
    as.mov(eax, 0x80000000);
    as.add(eax, eax);  // CF OF ZF PF
    as.call(callee);
    as.mov(dword_ptr(kData), ebx);
    as.pushfd();
    as.pop(edx);
    as.hlt();
    as.bind(callee);
    as.mov(ebx, dword_ptr(kData));
    as.ret();
  });
  run();
  EXPECT_EQ(reg(kEdx) & kArithmeticFlags, kFlagCf | kFlagOf | kFlagZf | kFlagPf);
}

TEST_P(BothMemories, DivideErrorInTheMiddleOfABlockIsExact) {
  std::size_t div_at = 0;
  assemble(kCode, [&](Asm& as) {
    as.mov(eax, 7);
    as.mov(ebx, 0x11);
    as.mov(dword_ptr(kData), eax);
    as.sub(edx, edx);
    as.xor_(ecx, ecx);
    as.mov(esi, 1);
    as.cmp(esi, 2);  // CF SF AF PF
    div_at = as.offset();
    as.div(ecx);
    as.mov(ebx, 0x22);
    as.hlt();
  });
  run();
  ASSERT_EQ(vector(), 0u);
  EXPECT_EQ(reg(kEbx), 0x11u);
  EXPECT_EQ(reg(kEax), 7u);
  const u32 esp = reg(kEsp);
  EXPECT_EQ(esp, kStackTop - 12);
  EXPECT_EQ(peek_at<u32>(esp), kCode + div_at);
  EXPECT_EQ(peek_at<u32>(esp + 8) & kArithmeticFlags, kFlagCf | kFlagSf | kFlagAf | kFlagPf);
  EXPECT_EQ(peek_at<u32>(kData), 7u);
}

TEST_P(BothMemories, InterruptsAreTakenInATightLoop) {
  write_code(kCode, {0xfb, 0x90, 0xeb, 0xfe});  // STI; NOP; JMP .
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    control_.raise_event(kEventInterrupt);
  });
  run();
  device.join();
  EXPECT_EQ(vector(), LineIo::kVector);
  EXPECT_EQ(line_.acknowledged, 1);
  EXPECT_EQ(peek_at<u32>(reg(kEsp)), kCode + 2);
}

TEST_P(BothMemories, InterruptsAreTakenInAnIndirectLoop) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, kCode + 6);
    as.sti();
    as.jmp(eax);
  });
  std::thread device([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    control_.raise_event(kEventInterrupt);
  });
  run();
  device.join();
  EXPECT_EQ(vector(), LineIo::kVector);
}

// STI holds interrupts off for one instruction, also where a page, and so a block, ends between the two.
TEST_P(BothMemories, StiShadowsTheHltThatFollows) {
  for (const u32 at : {kCode + 0x100, kCode + kPageSize - 1}) {
    write_code(at, {0xfb, 0xf4});
    cpu_.state.rflags = kFlagFixed;
    cpu_.state.set_reg32(kEsp, kStackTop);
    control_.raise_event(kEventInterrupt);
    cpu_.state.rip = at;
    while (vector() != LineIo::kVector) ASSERT_EQ(engine_->run(line_), ExitReason::halted);
    cpu_.state.halted = 0;
    EXPECT_EQ(peek_at<u32>(reg(kEsp)), at + 2);
  }
}

TEST_P(BothMemories, RequestExitLeavesALoop) {
  write_code(kCode, {0xeb, 0xfe});
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
    engine_->request_exit();
  });
  EXPECT_EQ(engine_->run(line_), ExitReason::requested);
  other.join();
  EXPECT_EQ(cpu_.state.eip(), kCode);
}

TEST_P(BothMemories, GuestDirectionFlagStaysOutOfTheHost) {
  assemble(kCode, [](Asm& as) {
    as.std();
    as.mov(esi, kData + 4);
    as.mov(edi, kData + 0x104);
    as.movsd();
    as.movsd();
    as.mov(ecx, 3);
    as.mov(edi, kData + 0x20b);
    as.mov(eax, 0x5a);
    as.rep().stosb();
    as.in(al, 0x10);  // a callout: C++ with the host's DF
    as.hlt();
  });
  poke<u64>(kData, 0x1122334455667788);
  run();
  u64 host_flags;
  asm volatile("pushfq\n\tpop %0" : "=r"(host_flags));
  EXPECT_EQ(host_flags & kFlagDf, 0u);
  EXPECT_NE(cpu_.state.rflags & kFlagDf, 0u);
  EXPECT_EQ(reg(kEsi), kData - 4);
  EXPECT_EQ(reg(kEdi), kData + 0x208);
  EXPECT_EQ(peek_at<u64>(kData + 0x100), 0x1122334455667788u);
  EXPECT_EQ(peek_at<u32>(kData + 0x208), 0x5a5a5a00u);
}

// PUSH [mem] whose two pages want the same entry of the Tlb.
TEST_P(BothMemories, ConflictingLookupsOfOneInstructionMakeProgress) {
  constexpr u32 kTlbSpan = Tlb::kEntries << kPageShift;
  static_assert(kTlbSpan + kData < kRam);
  assemble(kCode, [](Asm& as) {
    as.mov(esp, kTlbSpan + kData + 0x100);
    as.mov(ecx, 100);
    const asmjit::Label loop = as.newLabel();
    as.bind(loop);
    as.push(dword_ptr(kData + 0x80));
    as.pop(dword_ptr(kData + 0x84));
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  poke<u32>(kData + 0x80, 0xfeedface);
  run();
  EXPECT_EQ(peek_at<u32>(kData + 0x84), 0xfeedfaceu);
  EXPECT_EQ(reg(kEsp), kTlbSpan + kData + 0x100);
}

TEST_P(BothMemories, AFullCacheKeepsRunning) {
  constexpr unsigned kBlocks = 2000;
  use(GetParam(), 128 * 1024);
  // A chain of blocks over many pages, run twice: what comes again was dropped meanwhile.
  u32 at = kCode;
  for (unsigned i = 0; i < kBlocks; ++i, at += 64) {
    write_code(at, {0x40, 0x01, 0xc3, 0xff, 0x05, 0x00, 0x00, 0x20, 0x00, 0xe9, 50, 0, 0, 0});
  }
  // DEC ECX; JZ done; JMP kCode; done: HLT
  assemble(at, [](Asm& as) {
    const asmjit::Label done = as.newLabel();
    as.dec(ecx);
    as.jz(done);
    as.jmp(kCode);
    as.bind(done);
    as.hlt();
  });
  cpu_.state.set_reg32(kEcx, 3);
  run();
  EXPECT_EQ(reg(kEax), 3 * kBlocks);
  EXPECT_EQ(peek_at<u32>(0x200000), 3 * kBlocks);
  EXPECT_GE(count("pauses: eviction: count"), 2u);
  EXPECT_GE(count("bt: blocks evicted"), 2 * kBlocks);
}

TEST_P(BothMemories, TwoEnginesInOneProcess) {
  GuestMemory memory = GuestMemory::create(kRam).value();
  PhysicalMap phys(memory);
  RunControl control;
  Tracer tracer;
  Cpu other(phys, cpuid_, control, tracer);
  other.state = cpu_.state;
  BtOptions options;
  options.memory = GetParam().memory;
  const auto engine = BtEngine::create(other, options).value();
  const u8 theirs[] = {0xb8, 2, 0, 0, 0, 0xa3, 0, 0, 4, 0, 0xf4};
  ASSERT_TRUE(phys.write(kCode, theirs, sizeof theirs));
  write_code(kCode, {0xb8, 1, 0, 0, 0, 0xa3, 0, 0, 4, 0, 0xf4});
  for (int round = 0; round < 3; ++round) {
    run_from(kCode);
    other.state.rip = kCode;
    LineIo line(control);
    ASSERT_EQ(engine->run(line), ExitReason::halted);
    other.state.halted = 0;
    EXPECT_EQ(reg(kEax), 1u);
    EXPECT_EQ(other.state.reg32(kEax), 2u);
  }
  EXPECT_EQ(peek_at<u32>(kData), 1u);
  u32 stored = 0;
  ASSERT_TRUE(phys.read(kData, &stored, 4));
  EXPECT_EQ(stored, 2u);
}

TEST_P(BothMemories, UndefinedOpcodesAreTheGuests) {
  write_code(kCode, {0x40, 0x0f, 0x0b});  // INC EAX; UD2
  run();
  EXPECT_EQ(vector(), 6u);
  EXPECT_EQ(peek_at<u32>(reg(kEsp)), kCode + 1);
}

}  // namespace
}  // namespace ringshift::bt
