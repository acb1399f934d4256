// Self-modifying code: operands patched again and again, code that comes back, data beside code, DMA.
#include "cpu-model/interp/interpreter.h"
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

constexpr u32 kSite = 0x11000, kTargets = 0x11800, kPointers = 0x42000;

// An instruction at kSite, ended by RET; the guest stores values into its field again and again.
struct Form {
  const char* name;
  std::vector<u8> bytes;
  u32 field, width;
  enum class Values { any, small, target, pointer } values = Values::any;
};
using Values = Form::Values;

const std::vector<Form>& forms() {
  static const std::vector<Form> kForms = {
      {"mov_eax", {0xb8, 0, 0, 0, 0}, 1, 4},
      {"mov_one_byte_of_it", {0xb8, 0x11, 0x22, 0x33, 0x44}, 3, 1},
      {"mov_al", {0xb0, 0}, 1, 1},
      {"mov_ah", {0xb4, 0}, 1, 1},
      {"mov_ax", {0x66, 0xb8, 0, 0}, 2, 2},
      {"mov_memory", {0xc7, 0x46, 0x08, 0, 0, 0, 0}, 3, 4},
      {"mov_byte_in_memory", {0xc6, 0x06, 0}, 2, 1},
      {"add_eax", {0x05, 0, 0, 0, 0}, 1, 4},
      {"adc_ebx", {0x81, 0xd3, 0, 0, 0, 0}, 2, 4},
      {"sbb_memory", {0x81, 0x1e, 0, 0, 0, 0}, 2, 4},
      {"lock_or_memory", {0xf0, 0x81, 0x4e, 0x04, 0, 0, 0, 0}, 4, 4},
      {"and_byte", {0x24, 0}, 1, 1},
      {"sub_by_sign", {0x83, 0xea, 0}, 2, 1},
      {"xor_word_by_sign", {0x66, 0x83, 0xf0, 0}, 3, 1},
      {"cmp_word", {0x66, 0x81, 0xfb, 0, 0}, 3, 2},
      {"cmp_memory", {0x81, 0x3e, 0, 0, 0, 0}, 2, 4},
      {"test_eax", {0xa9, 0, 0, 0, 0}, 1, 4},
      {"test_byte_in_memory", {0xf6, 0x06, 0}, 2, 1},
      {"imul", {0x69, 0xc3, 0, 0, 0, 0}, 2, 4},
      {"imul_by_sign", {0x6b, 0x06, 0}, 2, 1},
      {"imul_word", {0x66, 0x69, 0xc3, 0, 0}, 3, 2},
      {"shl_has_no_such_form", {0xc1, 0xe0, 0}, 2, 1},
      {"push", {0x68, 0, 0, 0, 0, 0x58}, 1, 4},
      {"push_by_sign", {0x6a, 0, 0x58}, 1, 1},
      {"push_word", {0x66, 0x68, 0, 0, 0x66, 0x58}, 2, 2},
      {"load", {0x8b, 0x86, 0, 0, 0, 0}, 2, 4, Values::small},
      {"load_by_index", {0x8b, 0x84, 0x8e, 0, 0, 0, 0}, 3, 4, Values::small},
      {"load_short", {0x8b, 0x46, 0}, 2, 1, Values::small},
      {"load_absolute", {0x8b, 0x05, 0, 0, 0, 0}, 2, 4, Values::pointer},
      {"load_ah", {0x8a, 0xa6, 0, 0, 0, 0}, 2, 4, Values::small},
      {"moffs", {0xa1, 0, 0, 0, 0}, 1, 4, Values::pointer},
      {"moffs_store", {0xa3, 0, 0, 0, 0}, 1, 4, Values::pointer},
      {"store_immediate_there", {0xc7, 0x86, 0, 0, 0, 0, 1, 2, 3, 4}, 2, 4, Values::small},
      {"lea", {0x8d, 0x84, 0x8b, 0, 0, 0, 0}, 3, 4},
      {"lea_word", {0x66, 0x8d, 0x83, 0, 0, 0, 0}, 3, 4},
      {"bts", {0x0f, 0xab, 0x86, 0, 0, 0, 0}, 3, 4, Values::small},
      {"push_memory", {0xff, 0xb6, 0, 0, 0, 0, 0x58}, 2, 4, Values::small},
      {"pop_memory", {0x53, 0x8f, 0x86, 0, 0, 0, 0}, 3, 4, Values::small},
      {"fld", {0xdd, 0x86, 0, 0, 0, 0, 0xdd, 0x9e, 0, 1, 0, 0}, 2, 4, Values::small},
      {"movdqu", {0xf3, 0x0f, 0x6f, 0x86, 0, 0, 0, 0, 0x66, 0x0f, 0x7e, 0xc0}, 4, 4, Values::small},
      {"jmp", {0xe9, 0, 0, 0, 0}, 1, 4, Values::target},
      {"call", {0xe8, 0, 0, 0, 0}, 1, 4, Values::target},
      {"jz", {0x0f, 0x84, 0, 0, 0, 0}, 2, 4, Values::target},
      {"jmp_by_memory", {0xff, 0xa6, 0, 0, 0, 0}, 2, 4, Values::small},
      {"call_by_memory", {0xff, 0x96, 0, 0, 0, 0}, 2, 4, Values::small},
  };
  return kForms;
}

using FormWay = std::tuple<std::size_t, BtWay>;

class LiveOperandTest : public BtFixture, public ::testing::WithParamInterface<FormWay> {
 protected:
  static constexpr u32 kRounds = 60;
  const Form& form() const { return forms()[std::get<0>(GetParam())]; }
  BtWay way() const { return std::get<1>(GetParam()); }

  // EDX = the round's value.
  void make_value(Asm& as) {
    as.mov(edx, ebp);
    switch (form().values) {
      case Values::any:
        as.imul(edx, edx, 0x9e3779b9);
        break;
      case Values::small:  // multiples of 4 up to 7Ch: of words at kPointers, as all of memory around
        as.and_(edx, 0x1f);
        as.shl(edx, 2);
        break;
      case Values::target:
        as.and_(edx, 7);
        if (form().width == 1) return void(as.and_(edx, 4));
        as.shl(edx, 4);
        as.add(edx, kTargets - (kSite + form().field + 4));
        break;
      case Values::pointer:
        as.and_(edx, 0x1f);
        as.lea(edx, ptr(edx, edx, 1, kPointers));
        break;
    }
  }
  void store_value(Asm& as) {
    const Mem field = ptr(esi, static_cast<i32>(form().field));
    if (form().width == 1) return void(as.mov(byte_ptr(esi, field.offsetLo32()), dl));
    if (form().width == 2) return void(as.mov(word_ptr(esi, field.offsetLo32()), dx));
    as.mov(dword_ptr(esi, field.offsetLo32()), edx);
  }
  void write_program() {
    for (u32 at = 0; at < 0x200; at += 4) poke<u32>(kPointers + at, kTargets + (at / 4 % 8) * 16);
    for (u32 i = 0; i < 8; ++i)
      write_code(kTargets + i * 16, {0x05, static_cast<u8>(i * 7 + 1), 0, 0, 0, 0xc3});
    std::vector<u8> site = form().bytes;
    site.push_back(0xc3);
    EXPECT_TRUE(phys_.write(kSite, site.data(), site.size()));
    assemble(kCode, [&](Asm& as) {
      const asmjit::Label again = as.newLabel();
      as.fninit();  // a reset leaves x87's exceptions unmasked
      as.mov(ebp, kRounds);
      as.sub(edi, edi);
      as.bind(again);
      as.mov(esi, kSite);
      make_value(as);
      store_value(as);
      as.mov(eax, 0x11223344);
      as.lea(ebx, ptr(ebp, 0x10000));
      as.mov(ecx, 3);
      as.mov(esi, kPointers);
      as.cmp(ebp, 30);
      as.call(asmjit::Imm(kSite));
      for (const Gp& result : {eax, ebx, ecx, edx}) {
        as.pushfd();
        as.rol(edi, 3);
        as.xor_(edi, result);
        as.popfd();
      }
      as.pushfd();
      as.pop(eax);
      as.add(edi, eax);
      for (i32 at = 0; at < 0x100; at += 4) as.add(edi, dword_ptr(esi, at));
      // What was overwritten is put right again: some forms jump by it.
      for (i32 at = 0; at < 0x80; at += 4) as.mov(dword_ptr(esi, at), kTargets + (at / 4 % 8) * 16);
      as.dec(ebp);
      as.jnz(again);
      as.hlt();
    });
  }
  void set_start() {
    cpu_.state.rip = kCode;
    cpu_.state.rflags = kFlagFixed;
    cpu_.state.set_reg32(kEsp, kStackTop);
    cpu_.state.cr0 |= kCr0Ne;
    cpu_.state.cr4 |= kCr4OsFxsr | kCr4OsXmmExcpt;
  }
};

TEST_P(LiveOperandTest, DoesWhatTheInterpreterDoes) {
  write_program();
  set_start();
  {
    Interpreter interpreter(cpu_);
    ASSERT_EQ(interpreter.run(line_), ExitReason::halted);
    cpu_.state.halted = 0;
  }
  const u32 expected = reg(kEdi);
  write_program();
  set_start();
  use(way());
  run();
  EXPECT_EQ(reg(kEdi), expected);
  EXPECT_EQ(reg(kEsp), kStackTop);
}

std::string form_name(const ::testing::TestParamInfo<FormWay>& info) {
  const auto& [form, way] = info.param;
  return std::string(forms()[form].name) + (way.memory == BtOptions::Memory::soft ? "_soft" : "_window") +
         (way.verify ? "_verified" : "");
}
INSTANTIATE_TEST_SUITE_P(Forms, LiveOperandTest,
                         ::testing::Combine(::testing::Range(std::size_t{0}, forms().size()), kEachWay),
                         form_name);

class PatchedCodeTest : public BothMemories {};
INSTANTIATE_TEST_SUITE_P(Memory, PatchedCodeTest, kEachWay, way_name);

TEST_P(PatchedCodeTest, AnOperandPatchedAgainAndAgainIsTranslatedAFewTimes) {
  constexpr u32 kRounds = 1000;
  write_code(kSite, {0xb8, 0, 0, 0, 0, 0xc3});
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.mov(ecx, kRounds);
    as.mov(esi, kSite + 1);
    as.bind(again);
    as.mov(dword_ptr(esi), ecx);
    as.call(asmjit::Imm(kSite));
    as.add(edx, eax);
    as.dec(ecx);
    as.jnz(again);
    as.hlt();
  });
  cpu_.state.set_reg32(kEdx, 0);
  run();
  EXPECT_EQ(reg(kEdx), kRounds * (kRounds + 1) / 2);
  if (!GetParam().verify) {
    EXPECT_LT(count("bt: blocks translated"), 30u);
  }
  EXPECT_LT(count("bt: blocks invalidated"), 20u);
  // A device's write, too, and one to the opcode: MOV ECX.
  const u32 value = 0x12345678;
  assemble(kCode + 0x200, [&](Asm& as) {
    as.call(asmjit::Imm(kSite));
    as.hlt();
  });
  EXPECT_TRUE(phys_.write(kSite + 1, &value, 4));
  run_from(kCode + 0x200);
  EXPECT_EQ(reg(kEax), value);
  const u8 other = 0xb9;
  EXPECT_TRUE(phys_.write(kSite, &other, 1));
  run_from(kCode + 0x200);
  EXPECT_EQ(reg(kEcx), value);
}

TEST_P(PatchedCodeTest, CodeThatComesAndGoesIsTranslatedOnce) {
  constexpr u32 kRounds = 400;
  write_code(kSite, {0x40, 0xc3});  // INC EAX, and DEC EAX, DEC EBX in turns
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.mov(ecx, kRounds);
    as.mov(esi, kSite);
    as.sub(eax, eax);
    as.sub(ebx, ebx);
    as.bind(again);
    as.mov(byte_ptr(esi), 0x40);
    as.call(asmjit::Imm(kSite));
    as.mov(byte_ptr(esi), 0x4b);
    as.call(asmjit::Imm(kSite));
    as.dec(ecx);
    as.jnz(again);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEax), kRounds);
  EXPECT_EQ(reg(kEbx), 0 - kRounds);
  if (GetParam().verify) return;
  EXPECT_LT(count("bt: blocks translated"), 30u);
  EXPECT_GT(count("bt: blocks revived"), 2 * kRounds - 20);
}

// The loop patches what follows in its own block, through all of a MOV: its opcode and its operand.
TEST_P(PatchedCodeTest, WithinItsOwnBlock) {
  constexpr u32 kRounds = 300;
  u32 patched = 0;
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.mov(ecx, kRounds);
    as.sub(edx, edx);
    as.mov(esi, kCode + 0x40);
    as.jmp(asmjit::Imm(kCode + 0x30));
    while (as.offset() < 0x30) as.nop();
    as.bind(again);
    as.mov(dword_ptr(esi, 1), ecx);
    as.mov(eax, ecx);
    as.and_(eax, 1);
    as.add(eax, 0xb8);  // MOV EAX, MOV ECX's neighbour
    while (as.offset() < 0x3e) as.nop();
    as.mov(byte_ptr(esi), al);
    patched = static_cast<u32>(as.offset());
    as.mov(eax, 0);
    as.hlt();
  });
  EXPECT_EQ(patched, 0x40u);
  assemble(kCode + 0x45, [&](Asm& as) {
    as.add(edx, eax);
    as.sub(edx, 1);
    as.mov(ecx, dword_ptr(esi, 1));
    as.dec(ecx);
    as.jnz(asmjit::Imm(kCode + 0x30));
    as.hlt();
  });
  // EAX is the count in even rounds; in odd ones it stays the opcode, B9h.
  u32 expected = 0;
  for (u32 i = kRounds; i != 0; --i) expected += (i % 2 == 0 ? i : 0xb9) - 1;
  run();
  EXPECT_EQ(reg(kEdx), expected);
}

TEST_P(PatchedCodeTest, DataBesideCode) {
  constexpr u32 kRounds = 20000;
  write_code(kSite, {0x40, 0xc3});
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.mov(ecx, kRounds);
    as.mov(esi, kSite);
    as.sub(eax, eax);
    as.bind(again);
    as.add(dword_ptr(esi, 2), ecx);  // begins at the byte behind the RET
    as.call(asmjit::Imm(kSite));
    as.dec(ecx);
    as.jnz(again);
    as.hlt();
  });
  poke<u32>(kSite + 2, 0);
  run();
  EXPECT_EQ(reg(kEax), kRounds);
  EXPECT_EQ(peek_at<u32>(kSite + 2), kRounds * (kRounds + 1) / 2);
  if (!GetParam().verify) {
    EXPECT_LT(count("exits: lookup miss: interpreted"), 20u);
  }
}

// A page whose code isn't executed any more becomes an ordinary one, though it was never overwritten.
TEST_P(PatchedCodeTest, AbandonedCodeIsForgotten) {
  write_code(kSite, {0x40, 0xc3});
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.call(asmjit::Imm(kSite));
    as.mov(ecx, 20000);
    as.mov(esi, kSite + 0x100);
    as.bind(again);
    as.mov(dword_ptr(esi), ecx);
    as.dec(ecx);
    as.jnz(again);
    as.hlt();
  });
  run();
  EXPECT_EQ(phys_.flags(kSite) & kAttrBtCode, 0);
}

TEST_P(PatchedCodeTest, AnotherMappingOfThePage) {
  enter_paging();
  constexpr u32 kAlias = 0x200000;
  poke<u32>(kTable + (kAlias >> kPageShift) * 4, kSite | kMapped);
  cpu_.flush_all();
  constexpr u32 kRounds = 200;
  write_code(kSite, {0xb8, 0, 0, 0, 0, 0xc3});
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.mov(ecx, kRounds);
    as.sub(edx, edx);
    as.bind(again);
    as.mov(dword_ptr(kAlias + 1), ecx);
    as.call(asmjit::Imm(kSite));
    as.add(edx, eax);
    as.add(dword_ptr(kSite + 1), 5);
    as.call(asmjit::Imm(kAlias));
    as.add(edx, eax);
    as.dec(ecx);
    as.jnz(again);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEdx), kRounds * (kRounds + 1) + 5 * kRounds);
}

// Ever new code at one place, in a small cache.
TEST(PatchedCodeBoundTest, EverNewCodeFillsNoMoreThanTheCache) {
  class Machine : public BtFixture {
   public:
    void TestBody() override {
      use({BtOptions::Memory::soft}, 256 * 1024);
      // The opcode and two operands of ADD, OR .. CMP r, [edi + disp32] and what follows change each time.
      write_code(kSite, {0x03, 0x87, 0, 0, 0, 0, 0x05, 0, 0, 0, 0, 0xc3});
      assemble(kCode, [&](Asm& as) {
        const asmjit::Label again = as.newLabel();
        as.mov(ecx, 30000);
        as.mov(esi, kSite);
        as.mov(edi, kPointers);
        as.bind(again);
        as.imul(ebx, ecx, 0x9e3779b9);
        as.mov(edx, ebx);
        as.shr(edx, 8);
        as.and_(edx, 0x38);
        as.or_(edx, 3);
        as.mov(byte_ptr(esi), dl);
        as.mov(edx, ebx);
        as.shr(edx, 16);
        as.and_(edx, 0xff);
        as.mov(dword_ptr(esi, 2), edx);
        as.mov(byte_ptr(esi, 7), dl);
        as.shr(ebx, 27);
        as.shl(ebx, 3);
        as.and_(ebx, 0x38);
        as.or_(ebx, 5);
        as.mov(byte_ptr(esi, 6), bl);
        as.call(asmjit::Imm(kSite));
        as.dec(ecx);
        as.jnz(again);
        as.hlt();
      });
      run();
      EXPECT_GT(count("bt: blocks evicted") + count("bt: blocks translated"), 1000u);
      EXPECT_LE(count("bt: cache bytes in use"), 256u * 1024);
      EXPECT_LE(count("bt: bytes beside the code"), 4u * 256 * 1024);
    }
  };
  Machine().TestBody();
}

}  // namespace
}  // namespace ringshift::bt
