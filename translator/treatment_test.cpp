// What the translator does with instructions, and what they do to the flags: tables.
#include "translator/treatment.h"

#include <gtest/gtest.h>

#include <vector>

#include "cpu-model/cpuid.h"
#include "translator/flag_effects.h"

namespace ringshift::bt {
namespace {

class Treatments : public ::testing::Test {
 protected:
  Instruction decode(std::vector<u8> bytes) const {
    bytes.resize(15);
    Instruction insn;
    EXPECT_EQ(decoder_.decode(bytes, CodeMode::protected32, insn), DecodeStatus::ok);
    return insn;
  }
  CpuidTable cpuid_ = CpuidTable::create("n270").value();
  Decoder decoder_{cpuid_};
};

TEST_F(Treatments, Table) {
  using enum Treatment;
  struct Row {
    const char* text;
    std::vector<u8> bytes;
    Treatment expected;
  };
  const Row rows[] = {
      {"inc eax, short", {0x40}, short_incdec},
      {"dec di, short", {0x66, 0x4f}, short_incdec},
      {"inc eax, long", {0xff, 0xc0}, identity},
      {"mov al, moffs", {0xa0, 0, 0, 0, 0}, moffs},
      {"mov moffs, eax", {0xa3, 0, 0, 0, 0}, moffs},
      {"add, alias 82", {0x82, 0xc0, 1}, identity},
      {"lock add", {0xf0, 0x01, 0x00}, identity},
      {"bt [mem], reg", {0x0f, 0xa3, 0x08}, bit_string},
      {"bt reg, reg", {0x0f, 0xa3, 0xc8}, identity},
      {"bt [mem], imm", {0x0f, 0xba, 0x20, 5}, identity},
      {"cmpxchg [mem], ch", {0x0f, 0xb0, 0x28}, interpret},
      {"cmpxchg [mem], cl", {0x0f, 0xb0, 0x08}, identity},
      {"bsf with f3", {0xf3, 0x0f, 0xbc, 0xc1}, identity},
      {"nop", {0x90}, nothing},
      {"long nop", {0x0f, 0x1f, 0x44, 0, 0}, nothing},
      {"pause", {0xf3, 0x90}, identity},
      {"xchg eax, ecx", {0x91}, identity},
      {"prefetcht0", {0x0f, 0x18, 0x08}, nothing},
      {"lea", {0x8d, 0x44, 0x08, 1}, lea},
      {"push eax", {0x50}, push},
      {"push ax", {0x66, 0x50}, push},
      {"push fs", {0x0f, 0xa0}, push_segment},
      {"pop fs", {0x0f, 0xa1}, load_segment},
      {"pop [mem]", {0x8f, 0x00}, pop},
      {"leave", {0xc9}, leave},
      {"movsd", {0xa5}, string},
      {"movsd, 16-bit", {0x67, 0xa5}, string},
      {"rep movsd, 16-bit", {0xf3, 0x67, 0xa5}, interpret},
      {"rep movsd", {0xf3, 0xa5}, rep_string},
      {"repne scasb", {0xf2, 0xae}, rep_string},
      {"rep lodsb", {0xf3, 0xac}, interpret},
      {"cld", {0xfc}, direction},
      {"std", {0xfd}, direction},
      {"cli", {0xfa}, clear_if},
      {"sti", {0xfb}, set_if},
      {"pushfd", {0x9c}, push_flags},
      {"popf", {0x9d}, pop_flags},
      {"in", {0xe4, 0x60}, port},
      {"out dx, eax", {0xef}, port},
      {"pushad", {0x60}, push_all},
      {"popad", {0x61}, pop_all},
      {"pusha", {0x66, 0x60}, interpret},
      {"outsb", {0x6e}, interpret},
      {"cpuid", {0x0f, 0xa2}, cpuid},
      {"rdtsc", {0x0f, 0x31}, read_tsc},
      {"daa", {0x27}, interpret},
      {"mov ds, ax", {0x8e, 0xd8}, load_segment},
      {"mov ax, ds", {0x8c, 0xd8}, interpret},
      {"mov cr0, eax", {0x0f, 0x22, 0xc0}, write_cr0},
      {"mov cr3, eax", {0x0f, 0x22, 0xd8}, interpret_last},
      {"clts", {0x0f, 0x06}, write_cr0},
      {"mov eax, cr2", {0x0f, 0x20, 0xd0}, read_control},
      {"mov dr7, eax", {0x0f, 0x23, 0xf8}, interpret_last},
      {"lgdt", {0x0f, 0x01, 0x10}, interpret_last},
      {"invlpg", {0x0f, 0x01, 0x38}, interpret_last},
      {"wrmsr", {0x0f, 0x30}, interpret_last},
      {"hlt", {0xf4}, interpret_last},
      {"int 80", {0xcd, 0x80}, software_interrupt},
      {"iret", {0xcf}, interrupt_return},
      {"sysenter", {0x0f, 0x34}, sysenter},
      {"far call", {0x9a, 0, 0, 0, 0, 8, 0}, interpret_last},
      {"far jmp [mem]", {0xff, 0x28}, interpret_last},
      {"retf", {0xcb}, interpret_last},
      {"jmp rel8", {0xeb, 0}, jump},
      {"jmp rel16", {0x66, 0xe9, 0, 0}, jump},
      {"jz", {0x0f, 0x84, 0, 0, 0, 0}, jump_if},
      {"jecxz", {0xe3, 0}, jump_counter},
      {"jcxz", {0x67, 0xe3, 0}, jump_counter},
      {"loop", {0xe2, 0}, jump_counter},
      {"loope", {0xe1, 0}, interpret_last},
      {"call rel32", {0xe8, 0, 0, 0, 0}, call},
      {"call [mem]", {0xff, 0x10}, call_indirect},
      {"jmp eax", {0xff, 0xe0}, jump_indirect},
      {"ret", {0xc3}, ret},
      {"ret imm16", {0xc2, 4, 0}, ret},
      {"fadd", {0xd8, 0x00}, identity},
      {"fcomi", {0xdb, 0xf1}, identity},
      {"fnsave", {0xdd, 0x30}, interpret},
      {"fxsave", {0x0f, 0xae, 0x00}, interpret},
      {"paddb mm", {0x0f, 0xfc, 0xc1}, identity},
      {"addps", {0x0f, 0x58, 0xc1}, identity},
      {"ldmxcsr", {0x0f, 0xae, 0x10}, interpret},
  };
  for (const Row& row : rows) EXPECT_EQ(treatment_of(decode(row.bytes)), row.expected) << row.text;
}

TEST_F(Treatments, StateThatInstructionsUse) {
  EXPECT_TRUE(uses_fpu_state(decode({0xd9, 0xe8})));              // FLD1
  EXPECT_TRUE(uses_fpu_state(decode({0xdb, 0xf1})));              // FCOMI
  EXPECT_TRUE(uses_fpu_state(decode({0x0f, 0x77})));              // EMMS
  EXPECT_TRUE(uses_sse(decode({0x66, 0x0f, 0x6f, 0x00})));        // MOVDQA
  EXPECT_TRUE(uses_sse(decode({0x66, 0x0f, 0x38, 0x00, 0xc1})));  // PSHUFB
  EXPECT_FALSE(uses_sse(decode({0x0f, 0xfc, 0xc1})));             // PADDB mm
  EXPECT_FALSE(uses_fpu_state(decode({0x01, 0xc0})));
  EXPECT_TRUE(names_high_byte(decode({0x88, 0xe0})));   // MOV AL, AH
  EXPECT_TRUE(names_high_byte(decode({0x00, 0x38})));   // ADD [EAX], BH
  EXPECT_FALSE(names_high_byte(decode({0x00, 0x18})));  // ADD [EAX], BL
  EXPECT_FALSE(names_high_byte(decode({0xf6, 0x30})));  // DIV [EAX]: AH is implied
}

TEST_F(Treatments, FlagsOverwritten) {
  constexpr u32 kAll = kArithmeticFlags;
  struct Row {
    const char* text;
    std::vector<u8> bytes;
    u32 expected;
  };
  const Row rows[] = {
      {"add", {0x01, 0xc0}, kAll},
      {"xor", {0x31, 0xc0}, kAll},
      {"inc", {0x40}, kAll & ~kFlagCf},
      {"mov", {0x89, 0xc8}, 0},
      {"not", {0xf7, 0xd0}, 0},
      {"cmc", {0xf5}, kFlagCf},
      {"shl by 0", {0xc1, 0xe0, 32}, 0},
      {"shl by cl", {0xd3, 0xe0}, 0},
      {"rol by imm8, which leaves OF undefined", {0xc1, 0xc0, 3}, kFlagCf},
      {"sahf", {0x9e}, kAll & ~kFlagOf},
      {"bsf", {0x0f, 0xbc, 0xc1}, kFlagZf},
      {"bt", {0x0f, 0xa3, 0xc8}, kFlagCf},
      {"mul", {0xf7, 0xe1}, kFlagCf | kFlagOf},
      {"div", {0xf7, 0xf1}, 0},
      {"cmpxchg", {0x0f, 0xb1, 0xc8}, kAll},
      {"comiss", {0x0f, 0x2f, 0xc1}, kAll},
  };
  for (const Row& row : rows) EXPECT_EQ(flags_overwritten(decode(row.bytes)), row.expected) << row.text;
}

}  // namespace
}  // namespace ringshift::bt
