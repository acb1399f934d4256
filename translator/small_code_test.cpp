// 16-bit code and stacks, segments with limits and bases, real-address and v8086 mode, on the BtEngine.
#include "translator/bt_fixture.h"
#include "translator/jump_generations.h"

namespace ringshift::bt {
namespace {

constexpr u32 kFarCode = 0x20000;  // 64 KiB behind kCode, and as far from its page's start

class SmallCode : public BothMemories {
 protected:
  static constexpr SegmentRegister code16(u32 base, u32 limit = 0xffff) {
    return {8, 0, 0x009b, limit, 0, base};
  }
  static constexpr SegmentRegister data(u32 base, u32 limit, u32 attributes = 0x4093) {
    return {0x10, 0, attributes, limit, 0, base};
  }
  SegmentRegister& seg(Seg which) { return cpu_.state.segment(which); }

  // All segments at `base`, as after a far jump and loads in real-address mode; vector n of the table at 0
  // leads to a HLT at kStubs + n.
  void enter_real_mode(u32 base) {
    cpu_.state.cr0 = kCr0Et;
    for (SegmentRegister& segment : cpu_.state.seg)
      segment = {static_cast<u16>(base >> 4), 0, 0x0093, 0xffff, 0, base};
    for (u32 vector = 0; vector < 256; ++vector) poke<u32>(vector * 4, kStubs + vector);
    cpu_.state.idtr = {0, 0x3ff, 0};
    cpu_.state.set_reg32(kEsp, 0x8000);
  }
  void expect_vector(u32 expected, u32 eip) {
    EXPECT_EQ(vector(), expected);
    const u32 top = reg(kEsp) + static_cast<u32>(seg(Seg::ss).base);
    EXPECT_EQ(peek_at<u32>(top + (expected >= 10 && expected <= 14 ? 4 : 0)), eip);
  }
};

// --- limits and types of data segments

TEST_P(SmallCode, ALimitIsCheckedToTheByteAndKeepsTheFlags) {
  // STC; MOV EAX, [EBX]; SETC CL; HLT
  write_code(kCode, {0xf9, 0x8b, 0x03, 0x0f, 0x92, 0xc1, 0xf4});
  poke<u32>(kData + 0xffc, 0x12345678);
  seg(Seg::ds) = data(kData, 0xfff);
  cpu_.state.set_reg32(kEbx, 0xffc);
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 0x12345678u);
  EXPECT_EQ(reg(kEcx), 1u);
  for (const u32 beyond : {0xffdu, 0x1000u, 0xfffffffdu, 0xffffffffu}) {
    cpu_.state.set_reg32(kEbx, beyond);
    cpu_.state.set_reg32(kEax, 7);
    run_from(kCode);
    expect_vector(13, kCode + 1);
    EXPECT_EQ(reg(kEax), 7u);
    EXPECT_EQ(peek_at<u32>(reg(kEsp) + 12) & kFlagCf, kFlagCf) << "in the frame";
  }
}

TEST_P(SmallCode, ANewBaseAndLimitNeedNoTranslation) {
  write_code(kCode, {0x8b, 0x03, 0xf4});  // MOV EAX, [EBX]; HLT
  poke<u32>(kData + 8, 1);
  poke<u32>(kData + 0x108, 2);
  cpu_.state.set_reg32(kEbx, 8);
  seg(Seg::ds) = data(kData, 0xfff);
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 1u);
  const u64 blocks = count("bt: blocks translated");
  seg(Seg::ds) = data(kData + 0x100, 0x0b);
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 2u);
  EXPECT_EQ(count("bt: blocks translated"), blocks);
  seg(Seg::ds) = data(kData + 0x100, 0x0a);
  run_from(kCode);
  expect_vector(13, kCode);
}

TEST_P(SmallCode, TypesDecideWhatIsWritten) {
  write_code(kCode, {0x8b, 0x03, 0x89, 0x03, 0xf4});  // MOV EAX, [EBX]; MOV [EBX], EAX; HLT
  cpu_.state.set_reg32(kEbx, 0x100);
  for (const u32 read_only : {0x4091u, 0x409bu}) {
    seg(Seg::ds) = data(kData, 0xfff, read_only);
    run_from(kCode);
    expect_vector(13, kCode + 2);
  }
  for (const u32 denied : {0x4099u, u32{kSegUnusable}}) {
    seg(Seg::ds) = data(kData, 0xfff, denied);
    run_from(kCode);
    expect_vector(13, kCode);
  }
  EXPECT_EQ(count("exits: interpreted mode"), 0u);
}

TEST_P(SmallCode, ExpandDownLiesAboveTheLimit) {
  write_code(kCode, {0x8a, 0x03, 0x66, 0x8b, 0x13, 0xf4});  // MOV AL, [EBX]; MOV DX, [EBX]; HLT
  const auto try_at = [&](u32 offset) {
    cpu_.state.set_reg32(kEbx, offset);
    run_from(kCode);
  };
  seg(Seg::ds) = data(0x30000, 0x7fff, 0x0097);
  try_at(0x8000);
  EXPECT_EQ(cpu_.state.eip(), kCode + 6);
  try_at(0x7fff);
  expect_vector(13, kCode);
  try_at(0xfffe);
  EXPECT_EQ(cpu_.state.eip(), kCode + 6);
  try_at(0xffff);
  expect_vector(13, kCode + 2);
  seg(Seg::ds) = data(0x30000, 0x7fff, 0x4097);
  try_at(0xffff);
  EXPECT_EQ(cpu_.state.eip(), kCode + 6);
}

// --- code segments

TEST_P(SmallCode, BranchesBeyondTheLimitFaultAtTheBranch) {
  seg(Seg::cs) = {8, 0, 0x409b, 0x7f, 0, kCode};
  write_code(kCode, {0xeb, 0x7d});                              // JMP 7F
  write_code(kCode + 0x7f, {0xf4});                             // HLT
  write_code(kCode + 0x10, {0x0f, 0x84, 0x6a, 0, 0, 0, 0xf4});  // JZ 80; HLT
  write_code(kCode + 0x20, {0xff, 0xe0});                       // JMP EAX
  write_code(kCode + 0x30, {0x68, 0x80, 0, 0, 0, 0xc3});        // PUSH 80; RET
  const SegmentRegister cs = seg(Seg::cs);
  const auto run_at = [&](u32 eip) {
    seg(Seg::cs) = cs;
    run_from(eip);
  };
  run_at(0);
  EXPECT_EQ(cpu_.state.eip(), 0x80u);
  cpu_.state.rflags |= kFlagZf;
  run_at(0x10);
  expect_vector(13, 0x10);
  cpu_.state.rflags &= ~u64{kFlagZf};
  run_at(0x10);
  EXPECT_EQ(cpu_.state.eip(), 0x17u);
  cpu_.state.set_reg32(kEax, 0x80);
  run_at(0x20);
  expect_vector(13, 0x20);
  const u32 esp = reg(kEsp);
  run_at(0x30);
  expect_vector(13, 0x35);
  EXPECT_EQ(reg(kEsp), esp - 4 - 16) << "RET has not popped";
  // The same code under a smaller limit.
  seg(Seg::cs) = cs;
  seg(Seg::cs).limit = 0x7e;
  run_from(0);
  expect_vector(13, 0);
}

TEST_P(SmallCode, AnInstructionMustEndWithinTheLimit) {
  write_code(kCode, {0x90, 0xb8, 1, 0, 0, 0});  // NOP; MOV EAX, 1
  seg(Seg::cs) = {8, 0, 0x409b, 4, 0, kCode};
  run_from(0);
  expect_vector(13, 1);
}

// Two pieces of code with one EIP, under two bases; both branch indirectly to one EIP.
TEST_P(SmallCode, OneEipUnderTwoBases) {
  for (const auto& [at, value] : {std::pair{kCode, u8{1}}, std::pair{kFarCode, u8{2}}}) {
    write_code(at, {0xbb, 0x40, 0, 0xff, 0xe3});  // MOV BX, 40; JMP BX
    write_code(at + 0x40, {0xb0, value, 0xf4});   // MOV AL, value; HLT
  }
  for (unsigned round = 0; round < 3; ++round) {
    for (const auto& [base, value] : {std::pair{kCode, 1u}, std::pair{kFarCode, 2u}}) {
      seg(Seg::cs) = code16(base);
      run_from(0);
      EXPECT_EQ(cpu_.state.reg8(kEax), value);
    }
  }
  EXPECT_EQ(count("bt: blocks translated"), 4u);
}

// A page of code is mapped at two linear pages with different neighbours: its branch to the next page must
// follow the base.
TEST_P(SmallCode, LinksBetweenPagesFollowTheBase) {
  write_code(kCode, {0xe9, 0xfd, 0x0f});  // JMP 1000
  write_code(kCode + 0x1000, {0xb0, 1, 0xf4});
  write_code(kCode + 0x5000, {0xb0, 2, 0xf4});
  enter_paging();
  constexpr u32 kOtherBase = 0x34000;
  for (const u32 directory : {kTable, kOtherTable}) {
    poke<u32>(directory + (kOtherBase >> kPageShift) * 4, kCode | kMapped | 0x100);
    poke<u32>(directory + ((kOtherBase >> kPageShift) + 1) * 4, (kCode + 0x5000) | kMapped | 0x100);
    poke<u32>(directory + (kCode >> kPageShift) * 4, kCode | kMapped | 0x100);
    poke<u32>(directory + ((kCode >> kPageShift) + 1) * 4, (kCode + 0x1000) | kMapped | 0x100);
  }
  cpu_.state.cr4 |= kCr4Pge;
  cpu_.flush_all();
  for (unsigned round = 0; round < 3; ++round) {
    for (const auto& [base, value] : {std::pair{kCode, 1u}, std::pair{kOtherBase, 2u}}) {
      seg(Seg::cs) = code16(base);
      run_from(0);
      EXPECT_EQ(cpu_.state.reg8(kEax), value) << round;
    }
  }
}

// --- 16-bit code

TEST_P(SmallCode, ALoopOf16BitCode) {
  // XOR AX, AX; MOV CX, 10; ADD AX, [BX+SI+2]; INC SI; INC SI; LOOP; HLT
  write_code(kCode, {0x31, 0xc0, 0xb9, 10, 0, 0x03, 0x40, 2, 0x46, 0x46, 0xe2, 0xf9, 0xf4});
  for (u32 i = 0; i < 10; ++i) poke<u16>(kData + 0x102 + 2 * i, static_cast<u16>(1000 + i));
  seg(Seg::cs) = code16(kCode);
  seg(Seg::ds) = data(kData, 0xffff);
  cpu_.state.set_reg32(kEax, 0xabcd1111);
  cpu_.state.set_reg32(kEbx, 0x5555fff0);  // BX + SI wraps
  cpu_.state.set_reg32(kEsi, 0x66660110);
  cpu_.state.set_reg32(kEcx, 0x77770000);
  run_from(0);
  EXPECT_EQ(reg(kEax), 0xabcd0000u + 10045);
  EXPECT_EQ(reg(kEsi), 0x66660124u);
  EXPECT_EQ(reg(kEcx), 0x77770000u);
  EXPECT_EQ(count("exits: interpreted mode"), 0u);
  EXPECT_EQ(count("exits: interpreted instruction"), 1u) << "HLT";
}

TEST_P(SmallCode, IpWrapsInBranchesButNotByItself) {
  seg(Seg::cs) = code16(kCode);
  write_code(kCode + 0xfff0, {0xeb, 0x7e});  // JMP 10070: truncated to 70
  write_code(kCode + 0x70, {0xb0, 5, 0xf4});
  run_from(0xfff0);
  EXPECT_EQ(cpu_.state.reg8(kEax), 5);
  EXPECT_EQ(cpu_.state.eip(), 0x73u);
  write_code(kCode + 0xffff, {0x90});  // NOP
  run_from(0xffff);
  expect_vector(13, 0x10000);
}

TEST_P(SmallCode, A16BitStackWrapsAndKeepsTheRestOfEsp) {
  // PUSH AX; POP BX; CALL 10; HLT; 10: PUSH EBP; MOV BP, SP; LEAVE (32-bit operand); RET
  write_code(kCode, {0x50, 0x5b, 0xe8, 0x0b, 0, 0xf4});
  write_code(kCode + 0x10, {0x66, 0x55, 0x89, 0xe5, 0x66, 0xc9, 0xc3});
  seg(Seg::cs) = code16(kCode);
  seg(Seg::ss) = data(0x30000, 0xffff, 0x0093);
  cpu_.state.set_reg32(kEsp, 0xabcd0000);
  cpu_.state.set_reg32(kEbp, 0x12345678);
  cpu_.state.set_reg32(kEax, 0x4321);
  run_from(0);
  EXPECT_EQ(peek_at<u16>(0x3fffe), 5) << "CALL's, over PUSH's";
  EXPECT_EQ(cpu_.state.reg16(kEbx), 0x4321);
  EXPECT_EQ(reg(kEsp), 0xabcd0000u);
  EXPECT_EQ(reg(kEbp), 0x12345678u);
  EXPECT_EQ(cpu_.state.eip(), 6u);
  EXPECT_EQ(count("exits: interpreted instruction"), 1u) << "HLT";
}

TEST_P(SmallCode, HighBytesWithMemory) {
  write_code(kCode, {0x88, 0x27, 0x02, 0x3f, 0xf4});  // MOV [BX], AH; ADD BH, [BX]; HLT
  seg(Seg::cs) = code16(kCode);
  seg(Seg::ds) = data(kData, 0xffff);
  cpu_.state.set_reg32(kEax, 0x1122);
  cpu_.state.set_reg32(kEbx, 0x0203);
  run_from(0);
  EXPECT_EQ(peek_at<u8>(kData + 0x203), 0x11);
  EXPECT_EQ(reg(kEbx), 0x1303u);
}

// --- real-address and v8086 mode

TEST_P(SmallCode, RealModeSegmentLoadsNeedNoTranslation) {
  enter_real_mode(kCode);
  // MOV CX, 100; loop: MOV DS, CX; INC WORD [0]; LOOP; HLT
  write_code(kCode, {0xb9, 100, 0, 0x8e, 0xd9, 0xff, 0x06, 0, 0, 0xe2, 0xf8, 0xf4});
  for (u32 i = 0; i < 256; ++i) poke<u32>(i * 4, 0);  // the counters stand there
  run_from(0);
  EXPECT_EQ(seg(Seg::ds).base, 0x10u);
  for (u32 i = 1; i <= 100; ++i) EXPECT_EQ(peek_at<u16>(i * 16), 1) << i;
  EXPECT_EQ(count("exits: interpreted mode"), 0u);
  EXPECT_LE(count("bt: blocks translated"), 3u);
}

TEST_P(SmallCode, RealModeLimitsAndWritesThroughCs) {
  enter_real_mode(kCode);
  write_code(kCode, {0x2e, 0xc6, 0x06, 0x09, 0, 0x77, 0xeb, 0x01, 0xf4, 0xf4});  // MOV BYTE CS:[9], 77; JMP 9
  write_code(kCode + 9, {0xf4, 0xf4, 0xf4});
  run_from(0);
  EXPECT_EQ(peek_at<u8>(kCode + 9), 0x77) << "JA, which isn't taken or leads to a HLT";
  write_code(kCode, {0x8b, 0x07, 0xf4});  // MOV AX, [BX]; HLT
  cpu_.state.set_reg32(kEbx, 0xffff);
  seg(Seg::cs) = {kCode >> 4, 0, 0x0093, 0xffff, 0, kCode};
  run_from(0);
  EXPECT_EQ(cpu_.state.eip(), kStubs + 13 + 1) << "#GP";
  EXPECT_EQ(seg(Seg::cs).base, 0u);
}

// One IP in many segments: what is found by IP alone must not be taken for it.
TEST_P(SmallCode, RealModeFarCallsToOneIpInManySegments) {
  enter_real_mode(kCode);
  constexpr u32 kCallees = 200;
  // CALL 10; ADD AX, i + 1; RETF; 10: RET
  for (u32 i = 0; i < kCallees; ++i) {
    const u32 at = kData + i * 0x40;
    write_code(at, {0xe8, 0x0d, 0, 0x05, static_cast<u8>(i + 1), 0, 0xcb});
    write_code(at + 0x10, {0xc3});
  }
  // The caller returns to IP 3, too. CALL 10; JMP 11; 10: RET; 11: MOV [202], DX; CALL FAR [200]; ADD DX, 4;
  // LOOP 0; HLT
  write_code(kCode, {0xe8, 0x0d, 0, 0xeb, 0x0c});
  write_code(kCode + 0x10, {0xc3, 0x89, 0x16, 0x02, 0x02, 0xff, 0x1e, 0, 2, 0x83, 0xc2, 4, 0xe2, 0xe2, 0xf4});
  for (unsigned round = 0; round < 2; ++round) {
    cpu_.state.set_reg32(kEax, 0);
    cpu_.state.set_reg32(kEcx, kCallees);
    cpu_.state.set_reg32(kEdx, kData >> 4);
    run_from(0);
    EXPECT_EQ(cpu_.state.reg16(kEax), kCallees * (kCallees + 1) / 2);
  }
  EXPECT_EQ(reg(kEsp), 0x8000u);
  EXPECT_EQ(count("exits: interpreted mode"), 0u);
}

TEST_P(SmallCode, V86PushfObeysIopl) {
  // A TSS for the way to ring 0, and all of the code in v8086 mode at kCode.
  constexpr u32 kTss = 0x4000;
  poke<u32>(kTss + 4, kStackTop);
  poke<u32>(kTss + 8, 0x10);
  cpu_.state.tr = {0x20, 0, 0x8b, 0x67, 0, kTss};
  write_code(kCode, {0x40, 0x9c, 0x40, 0xcd, 0x21});  // INC AX; PUSHF; INC AX; INT 21
  const auto run_v86 = [&](unsigned iopl) {
    for (SegmentRegister& segment : cpu_.state.seg) segment = {kCode >> 4, 0, 0x00f3, 0xffff, 0, kCode};
    set_cpl(3);
    cpu_.state.rflags = kFlagFixed | kFlagVm | iopl << 12;
    cpu_.state.set_reg32(kEsp, 0x8000);
    cpu_.state.set_reg32(kEax, 0);
    run_from(0);
  };
  run_v86(3);
  EXPECT_EQ(vector(), 13u) << "INT 21 through a gate of DPL 0";
  EXPECT_EQ(reg(kEax), 2u);
  EXPECT_EQ(peek_at<u16>(kCode + 0x7ffe) & kFlagIopl, kFlagIopl);
  run_v86(0);
  EXPECT_EQ(vector(), 13u);
  EXPECT_EQ(reg(kEax), 1u) << "PUSHF";
  EXPECT_EQ(count("exits: interpreted mode"), 0u);
}

INSTANTIATE_TEST_SUITE_P(Bt, SmallCode, kEachWay, way_name);

TEST(JumpGenerationsTest, OneForEachBaseAndTheEndIsSeen) {
  JumpGenerations generations;
  const u64 first = generations.of(ModeKey(), 0);
  const u64 second = generations.of(ModeKey(), 0x10000);
  EXPECT_NE(first, second);
  EXPECT_FALSE(generations.exhausted());
  generations.renew_all();
  EXPECT_GT(generations.of(ModeKey(), 0), second);
  generations.begin();
  EXPECT_EQ(generations.of(ModeKey(), 0), 1u);
}

}  // namespace
}  // namespace ringshift::bt
