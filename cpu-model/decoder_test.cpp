// Decoder: operands, prefixes, modes, and what CPUID lacks.
#include <Zydis/Zydis.h>
#include <gtest/gtest.h>

#include <vector>

#include "cpu-model/cpuid.h"
#include "cpu-model/instruction.h"

namespace ringshift {
namespace {

class DecoderTest : public testing::Test {
 protected:
  DecodeStatus decode(std::vector<u8> bytes, CodeMode mode = CodeMode::protected32) {
    return decoder_.decode(bytes, mode, insn_);
  }
  CpuidTable cpuid_ = CpuidTable::create("n270").value();
  Decoder decoder_{cpuid_};
  Instruction insn_;
};

TEST_F(DecoderTest, MemoryOperandWithSib) {
  ASSERT_EQ(decode({0x8b, 0x44, 0x8d, 0xf0}), DecodeStatus::ok);  // mov eax, [ebp + ecx*4 - 16]
  EXPECT_EQ(insn_.mnemonic, ZYDIS_MNEMONIC_MOV);
  EXPECT_EQ(insn_.length, 4);
  EXPECT_EQ(insn_.operands[0].kind, OperandKind::gpr32);
  EXPECT_EQ(insn_.operands[0].reg, kEax);
  EXPECT_EQ(insn_.operands[1].kind, OperandKind::memory);
  EXPECT_EQ(insn_.operands[1].bytes, 4);
  EXPECT_EQ(insn_.segment, Seg::ss);
  EXPECT_EQ(insn_.base, kEbp);
  EXPECT_EQ(insn_.index, kEcx);
  EXPECT_EQ(insn_.scale, 4);
  EXPECT_EQ(insn_.displacement, -16);
  EXPECT_EQ(insn_.modrm_offset, 1);
}

TEST_F(DecoderTest, HighByteRegistersAndSegmentOverride) {
  ASSERT_EQ(decode({0x64, 0x88, 0x23}), DecodeStatus::ok);  // mov fs:[ebx], ah
  EXPECT_EQ(insn_.segment, Seg::fs);
  EXPECT_EQ(insn_.operands[1].kind, OperandKind::gpr8);
  EXPECT_EQ(insn_.operands[1].reg, 4);
  EXPECT_EQ(insn_.prefix_length, 1);
}

TEST_F(DecoderTest, SixteenBitAddressing) {
  ASSERT_EQ(decode({0x8b, 0x02}, CodeMode::real16), DecodeStatus::ok);  // mov ax, [bp + si]
  EXPECT_EQ(insn_.address_size, 2);
  EXPECT_EQ(insn_.operand_size, 2);
  EXPECT_EQ(insn_.base, kEbp);
  EXPECT_EQ(insn_.index, kEsi);
  EXPECT_EQ(insn_.segment, Seg::ss);
}

TEST_F(DecoderTest, StringSourceSegment) {
  ASSERT_EQ(decode({0xf3, 0x26, 0xa5}), DecodeStatus::ok);  // rep movsd es:[edi], es:[esi]
  EXPECT_EQ(insn_.segment, Seg::es);
  EXPECT_TRUE(insn_.has_prefix(kPrefixRep));
  ASSERT_EQ(decode({0xa4}), DecodeStatus::ok);
  EXPECT_EQ(insn_.segment, Seg::ds);
  EXPECT_EQ(insn_.operand_size, 4);
}

TEST_F(DecoderTest, ImmediatesAndBranches) {
  ASSERT_EQ(decode({0x83, 0xc0, 0xff}), DecodeStatus::ok);  // add eax, -1
  EXPECT_EQ(insn_.immediate, 0xffffffffu);
  ASSERT_EQ(decode({0x74, 0xfe}), DecodeStatus::ok);
  EXPECT_EQ(insn_.operands[0].kind, OperandKind::relative);
  EXPECT_EQ(insn_.immediate, 0xfffffffeu);
  EXPECT_EQ(insn_.flags_read, kFlagZf);
  ASSERT_EQ(decode({0xea, 1, 2, 3, 4, 8, 0}), DecodeStatus::ok);
  EXPECT_EQ(insn_.immediate, 0x04030201u);
  EXPECT_EQ(insn_.immediate2, 8u);
  ASSERT_EQ(decode({0xc8, 0x34, 0x12, 0x05}), DecodeStatus::ok);  // enter
  EXPECT_EQ(insn_.immediate, 0x1234u);
  EXPECT_EQ(insn_.immediate2, 5u);
}

TEST_F(DecoderTest, Failures) {
  EXPECT_EQ(decode({0x8b}), DecodeStatus::truncated);
  EXPECT_EQ(decode({0x0f, 0x04}), DecodeStatus::undefined);
  EXPECT_EQ(decode(std::vector<u8>(15, 0x66)), DecodeStatus::too_long);
  EXPECT_EQ(decode({0xf0, 0x89, 0xc0}), DecodeStatus::undefined);  // lock mov
}

TEST_F(DecoderTest, WhatCpuidLacksIsUndefined) {
  EXPECT_EQ(decode({0xc5, 0xf8, 0x77}), DecodeStatus::undefined);  // vzeroupper
  EXPECT_EQ(decode({0x0f, 0xc7, 0xf0}), DecodeStatus::undefined);  // rdrand
  EXPECT_EQ(decode({0x0f, 0x01, 0xca}), DecodeStatus::undefined);  // clac
  EXPECT_EQ(decode({0x0f, 0x05}), DecodeStatus::undefined);        // syscall
  ASSERT_EQ(decode({0xf3, 0x0f, 0xbc, 0xc1}), DecodeStatus::ok);   // tzcnt is bsf
  EXPECT_EQ(insn_.mnemonic, ZYDIS_MNEMONIC_BSF);
  ASSERT_EQ(decode({0xf3, 0x0f, 0x1e, 0xfb}), DecodeStatus::ok);  // endbr32 is nop
  EXPECT_EQ(insn_.mnemonic, ZYDIS_MNEMONIC_NOP);
  EXPECT_EQ(decode({0x63, 0xc0}, CodeMode::real16), DecodeStatus::undefined);  // arpl in real mode
}

}  // namespace
}  // namespace ringshift
