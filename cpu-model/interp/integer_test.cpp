// Integer, move and exchange instructions on the interpreter.
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class IntegerTest : public InterpFixture {};

// mov eax, 7fffffff; add eax, 1; mov bl, ff; add bl, 1; adc ecx, 0
TEST_F(IntegerTest, AddsAndCarries) {
  run({0xb8, 0xff, 0xff, 0xff, 0x7f, 0x83, 0xc0, 0x01, 0xf4});
  EXPECT_EQ(reg(kEax), 0x80000000u);
  EXPECT_TRUE(has_flag(kFlagOf) && has_flag(kFlagSf) && has_flag(kFlagAf) && has_flag(kFlagPf));
  EXPECT_FALSE(has_flag(kFlagCf) || has_flag(kFlagZf));
  cpu_.state.halted = 0;
  cpu_.state.rip = kCode;
  run({0xb3, 0xff, 0x80, 0xc3, 0x01, 0x83, 0xd1, 0x00, 0xf4});
  EXPECT_EQ(reg(kEbx), 0u);
  EXPECT_EQ(reg(kEcx), 1u);
  EXPECT_FALSE(has_flag(kFlagCf));
}

// stc; mov eax, -1; inc eax
TEST_F(IntegerTest, IncKeepsCarry) {
  run({0xf9, 0xb8, 0xff, 0xff, 0xff, 0xff, 0x40, 0xf4});
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_TRUE(has_flag(kFlagCf) && has_flag(kFlagZf));
}

// stc; mov ax, 0; sbb ax, 0
TEST_F(IntegerTest, SbbOf16BitsKeepsTheUpperHalf) {
  cpu_.state.set_reg32(kEax, 0xabcd1234);
  run({0xf9, 0x66, 0xb8, 0x00, 0x00, 0x66, 0x83, 0xd8, 0x00, 0xf4});
  EXPECT_EQ(reg(kEax), 0xabcdffffu);
  EXPECT_TRUE(has_flag(kFlagCf) && has_flag(kFlagSf));
}

// mov dword [5000], 12345678; add byte [5001], 10; xor word [5002], ffff; neg dword [5004]; not dword [5008]
TEST_F(IntegerTest, ModifiesMemory) {
  poke<u32>(kData + 4, 1);
  poke<u32>(kData + 8, 0x0f0f0f0f);
  run({0xc7, 0x05, 0x00, 0x50, 0x00, 0x00, 0x78, 0x56, 0x34, 0x12, 0x80, 0x05, 0x01,
       0x50, 0x00, 0x00, 0x10, 0x66, 0x83, 0x35, 0x02, 0x50, 0x00, 0x00, 0xff, 0xf7,
       0x1d, 0x04, 0x50, 0x00, 0x00, 0xf7, 0x15, 0x08, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(data(), 0xedcb6678u);
  EXPECT_EQ(data(4), 0xffffffffu);
  EXPECT_EQ(data(8), 0xf0f0f0f0u);
}

// lea eax, [ebx+ecx*4+10]; lea dx, [ebx+1]; lea si, [bx+di+2]
TEST_F(IntegerTest, LoadsEffectiveAddresses) {
  cpu_.state.set_reg32(kEbx, 0x1ffff);
  cpu_.state.set_reg32(kEcx, 0x40000000);
  cpu_.state.set_reg32(kEdi, 0x10);
  run({0x8d, 0x44, 0x8b, 0x10, 0x66, 0x8d, 0x53, 0x01, 0x67, 0x66, 0x8d, 0x71, 0x02, 0xf4});
  EXPECT_EQ(reg(kEax), 0x2000fu);
  EXPECT_EQ(reg(kEdx) & 0xffff, 0u);
  EXPECT_EQ(reg(kEsi) & 0xffff, 0x11u);
}

// movzx eax, bl; movsx ecx, bl; movsx dx, bl; movsx esi, word [5000]; movzx edi, byte [5001]
TEST_F(IntegerTest, Extends) {
  cpu_.state.set_reg32(kEbx, 0x80);
  cpu_.state.set_reg32(kEdx, 0x12340000);
  poke<u32>(kData, 0x9876);
  run({0x0f, 0xb6, 0xc3, 0x0f, 0xbe, 0xcb, 0x66, 0x0f, 0xbe, 0xd3, 0x0f, 0xbf, 0x35,
       0x00, 0x50, 0x00, 0x00, 0x0f, 0xb6, 0x3d, 0x01, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(reg(kEax), 0x80u);
  EXPECT_EQ(reg(kEcx), 0xffffff80u);
  EXPECT_EQ(reg(kEdx), 0x1234ff80u);
  EXPECT_EQ(reg(kEsi), 0xffff9876u);
  EXPECT_EQ(reg(kEdi), 0x98u);
}

// cmp eax, ebx; cmovl ecx, eax; setg dl; sete dh; cmovge esi, eax
TEST_F(IntegerTest, Conditions) {
  cpu_.state.set_reg32(kEax, 0xfffffffe);  // -2 < 1
  cpu_.state.set_reg32(kEbx, 1);
  cpu_.state.set_reg32(kEsi, 7);
  cpu_.state.set_reg32(kEdx, 0xffff);
  run({0x39, 0xd8, 0x0f, 0x4c, 0xc8, 0x0f, 0x9f, 0xc2, 0x0f, 0x94, 0xc6, 0x0f, 0x4d, 0xf0, 0xf4});
  EXPECT_EQ(reg(kEcx), 0xfffffffeu);
  EXPECT_EQ(reg(kEdx), 0u);
  EXPECT_EQ(reg(kEsi), 7u);
}

// bswap eax; xchg al, ah; xchg ebx, [5000]; xadd ecx, ecx; xadd [5004], edx
TEST_F(IntegerTest, Exchanges) {
  cpu_.state.set_reg32(kEax, 0x11223344);
  cpu_.state.set_reg32(kEbx, 5);
  cpu_.state.set_reg32(kEcx, 21);
  cpu_.state.set_reg32(kEdx, 3);
  poke<u32>(kData, 6);
  poke<u32>(kData + 4, 4);
  run({0x0f, 0xc8, 0x86, 0xe0, 0x87, 0x1d, 0x00, 0x50, 0x00, 0x00, 0x0f,
       0xc1, 0xc9, 0x0f, 0xc1, 0x15, 0x04, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(reg(kEax), 0x44331122u);
  EXPECT_EQ(reg(kEbx), 6u);
  EXPECT_EQ(data(), 5u);
  EXPECT_EQ(reg(kEcx), 42u);
  EXPECT_EQ(data(4), 7u);
  EXPECT_EQ(reg(kEdx), 4u);
}

// mov eax, 5; cmpxchg [5000], ecx; setz bl; cmpxchg [5000], ecx; setz bh
TEST_F(IntegerTest, ComparesAndExchanges) {
  poke<u32>(kData, 9);
  cpu_.state.set_reg32(kEcx, 77);
  run({0xb8, 0x05, 0x00, 0x00, 0x00, 0x0f, 0xb1, 0x0d, 0x00, 0x50, 0x00, 0x00, 0x0f,
       0x94, 0xc3, 0x0f, 0xb1, 0x0d, 0x00, 0x50, 0x00, 0x00, 0x0f, 0x94, 0xc7, 0xf4});
  EXPECT_EQ(reg(kEax), 9u);
  EXPECT_EQ(data(), 77u);
  EXPECT_EQ(reg(kEbx), 0x0100u);
}

// cmpxchg8b [5000]
TEST_F(IntegerTest, ComparesAndExchanges8Bytes) {
  poke<u64>(kData, 0x0000000200000001);
  cpu_.state.set_reg32(kEax, 1);
  cpu_.state.set_reg32(kEdx, 2);
  cpu_.state.set_reg32(kEbx, 3);
  cpu_.state.set_reg32(kEcx, 4);
  run({0x0f, 0xc7, 0x0d, 0x00, 0x50, 0x00, 0x00, 0x0f, 0xc7, 0x0d, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(peek_at<u64>(kData), 0x0000000400000003u);
  EXPECT_EQ(reg(kEax), 3u);
  EXPECT_EQ(reg(kEdx), 4u);
  EXPECT_FALSE(has_flag(kFlagZf));
}

// stc; lahf; mov al, ah; cmc; std; pushf; pop ebx; cld; mov ah, d5; sahf; pushf; pop ecx
TEST_F(IntegerTest, Flags) {
  run({0xf9, 0x9f, 0x88, 0xe0, 0xf5, 0xfd, 0x9c, 0x5b, 0xfc, 0xb4, 0xd5, 0x9e, 0x9c, 0x59, 0xf4});
  EXPECT_EQ(reg(kEax) & 0xff, 0x03u);
  EXPECT_EQ(reg(kEbx), kFlagDf | kFlagFixed);
  EXPECT_EQ(reg(kEcx), 0xd7u);
}

}  // namespace
}  // namespace ringshift
