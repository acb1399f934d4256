// Stack, control-flow, system and port instructions on the interpreter, and their faults.
#include "cpu-model/interp/interp_fixture.h"

namespace ringshift {
namespace {

class FlowTest : public InterpFixture {};

// push esp; pop eax; push 11; push 22; pop dword [esp+4]; pop ebx
TEST_F(FlowTest, PopFindsItsOperandWithTheNewEsp) {
  run({0x54, 0x58, 0x6a, 0x11, 0x6a, 0x22, 0x8f, 0x44, 0x24, 0x04, 0x5b, 0xf4});
  EXPECT_EQ(reg(kEax), kStack);
  EXPECT_EQ(reg(kEbx), 0x11u);
  EXPECT_EQ(peek_at<u32>(kStack), 0x22u);
  EXPECT_EQ(reg(kEsp), kStack);
}

// push 11; push 22; pop dword [esp]; pop ebx
TEST_F(FlowTest, PopToTheTopOfTheStack) {
  run({0x6a, 0x11, 0x6a, 0x22, 0x8f, 0x04, 0x24, 0x5b, 0xf4});
  EXPECT_EQ(reg(kEbx), 0x22u);
}

// push ax; push 1234; push 12345678; push -1
TEST_F(FlowTest, PushesBothSizes) {
  cpu_.state.set_reg32(kEax, 0xaaaabbbb);
  run({0x66, 0x50, 0x68, 0x34, 0x12, 0x00, 0x00, 0x68, 0x78, 0x56, 0x34, 0x12, 0x6a, 0xff, 0xf4});
  EXPECT_EQ(reg(kEsp), kStack - 14);
  EXPECT_EQ(stack(0), 0xffffffffu);
  EXPECT_EQ(stack(4), 0x12345678u);
  EXPECT_EQ(stack(8), 0x1234u);
  EXPECT_EQ(peek_at<u16>(kStack - 2), 0xbbbbu);
}

// pusha; mov eax, 9; mov edi, 9; mov ebp, 9; popa
TEST_F(FlowTest, PushesAndPopsAll) {
  for (unsigned r = kEax; r <= kEdi; ++r)
    if (r != kEsp) cpu_.state.set_reg32(r, 0x100 + r);
  run({0x60, 0xb8, 0x09, 0, 0, 0, 0xbf, 0x09, 0, 0, 0, 0xbd, 0x09, 0, 0, 0, 0x61, 0xf4});
  for (unsigned r = kEax; r <= kEdi; ++r) EXPECT_EQ(cpu_.state.reg32(r), r == kEsp ? kStack : 0x100 + r);
  EXPECT_EQ(reg(kEsp), kStack);
  EXPECT_EQ(peek_at<u32>(kStack - 20), kStack);
}

// mov ebp, 7000; mov dword [6ffc], aaaa; enter 10, 2; mov eax, esp; leave
TEST_F(FlowTest, EntersNestedFrames) {
  run({0xbd, 0x00, 0x70, 0x00, 0x00, 0xc7, 0x05, 0xfc, 0x6f, 0x00, 0x00, 0xaa,
       0xaa, 0x00, 0x00, 0xc8, 0x10, 0x00, 0x02, 0x89, 0xe0, 0xc9, 0xf4});
  EXPECT_EQ(reg(kEax), kStack - 12 - 0x10);
  EXPECT_EQ(reg(kEbp), 0x7000u);
  EXPECT_EQ(reg(kEsp), kStack);
  EXPECT_EQ(peek_at<u32>(kStack - 4), 0x7000u);
  EXPECT_EQ(peek_at<u32>(kStack - 8), 0xaaaau);
  EXPECT_EQ(peek_at<u32>(kStack - 12), kStack - 4);
}

// call 1f; mov ebx, 1; hlt; 1: mov eax, [esp]; ret
TEST_F(FlowTest, CallsAndReturns) {
  run({0xe8, 0x06, 0, 0, 0, 0xbb, 0x01, 0, 0, 0, 0xf4, 0x8b, 0x04, 0x24, 0xc3});
  EXPECT_EQ(reg(kEax), kCode + 5);
  EXPECT_EQ(reg(kEbx), 1u);
  EXPECT_EQ(reg(kEsp), kStack);
}

// push 1234; call 1f; hlt; 1: ret 4
TEST_F(FlowTest, ReturnReleasesParameters) {
  run({0x68, 0x34, 0x12, 0, 0, 0xe8, 0x01, 0, 0, 0, 0xf4, 0xc2, 0x04, 0x00});
  EXPECT_EQ(reg(kEsp), kStack);
}

// mov ecx, 5; xor eax, eax; 1: inc eax; loop 1b; jecxz 2f; mov ebx, 1; 2:
TEST_F(FlowTest, Loops) {
  run({0xb9, 0x05, 0, 0, 0, 0x31, 0xc0, 0x40, 0xe2, 0xfd, 0xe3, 0x05, 0xbb, 0x01, 0, 0, 0, 0xf4});
  EXPECT_EQ(reg(kEax), 5u);
  EXPECT_EQ(reg(kEbx), 0u);
  EXPECT_EQ(control_.retired, 2u + 10u + 1u + 1u);
}

// int 80: the saved EIP is the next instruction's.
TEST_F(FlowTest, SoftwareInterrupt) {
  run({0xcd, 0x80});
  EXPECT_TRUE(in_handler(0x80));
  EXPECT_EQ(stack(0), kCode + 2);
}

TEST_F(FlowTest, UndefinedInstructionIsAFault) {
  cpu_.state.set_reg32(kEax, 5);
  run({0x0f, 0x0b});
  EXPECT_TRUE(in_handler(6));
  EXPECT_EQ(stack(0), kCode);
  EXPECT_EQ(reg(kEsp), kStack - 12);
}

// push 1111; pop dword [eax], which DS forbids: ESP goes back.
TEST_F(FlowTest, FaultRestoresTheStackPointer) {
  cpu_.state.segment(Seg::ds).limit = 0xfff;
  cpu_.state.set_reg32(kEax, 0x4000);
  run({0x68, 0x11, 0x11, 0, 0, 0x8f, 0x00, 0xf4});
  EXPECT_TRUE(in_handler(13));
  EXPECT_EQ(stack(0), 0u);         // error code
  EXPECT_EQ(stack(4), kCode + 5);  // the POP
  EXPECT_EQ(reg(kEsp), kStack - 4 - 16);
}

// bound eax, [5000]
TEST_F(FlowTest, Bound) {
  poke<u32>(kData, 0xfffffffb);  // -5..5
  poke<u32>(kData + 4, 5);
  cpu_.state.set_reg32(kEax, 0xfffffffc);
  run({0x62, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_EQ(cpu_.state.eip(), kCode + 7);
  cpu_.state.halted = 0;
  cpu_.state.rip = kCode;
  cpu_.state.set_reg32(kEax, 6);
  run({0x62, 0x05, 0x00, 0x50, 0x00, 0x00, 0xf4});
  EXPECT_TRUE(in_handler(5));
}

// in al, 60; mov dx, 3f8; out dx, ax; in eax, dx; out 80, al
TEST_F(FlowTest, Ports) {
  run({0xe4, 0x60, 0x66, 0xba, 0xf8, 0x03, 0x66, 0xef, 0xed, 0xe6, 0x80, 0xf4});
  EXPECT_EQ(reg(kEax), 0x11223344u);
  ASSERT_EQ(test_io_.writes.size(), 2u);
  EXPECT_EQ(test_io_.writes[0], (TestIo::PortWrite{0x3f8, 2, 0x44}));
  EXPECT_EQ(test_io_.writes[1], (TestIo::PortWrite{0x80, 1, 0x44}));
}

// sgdt [5000]; sldt eax; smsw ebx
TEST_F(FlowTest, StoresTables) {
  run({0x0f, 0x01, 0x05, 0x00, 0x50, 0x00, 0x00, 0x0f, 0x00, 0xc0, 0x0f, 0x01, 0xe3, 0xf4});
  EXPECT_EQ(peek_at<u16>(kData), 0x17u);
  EXPECT_EQ(peek_at<u32>(kData + 2), kGdt);
  EXPECT_EQ(reg(kEax), 0u);
  EXPECT_EQ(reg(kEbx), static_cast<u32>(cpu_.state.cr0));
}

// mov ax, 10; verr ax; setz bl; verw ax; setz bh; lar ecx, eax; lsl edx, eax
TEST_F(FlowTest, VerifiesSegments) {
  run({0x66, 0xb8, 0x10, 0x00, 0x0f, 0x00, 0xe0, 0x0f, 0x94, 0xc3, 0x0f, 0x00,
       0xe8, 0x0f, 0x94, 0xc7, 0x0f, 0x02, 0xc8, 0x0f, 0x03, 0xd0, 0xf4});
  EXPECT_EQ(reg(kEbx), 0x0101u);
  EXPECT_EQ(reg(kEcx) & 0x00f0ff00, 0x00c09300u);
  EXPECT_EQ(reg(kEdx), 0xffffffffu);
}

// mov ax, 10; mov cx, 3; arpl ax, cx
TEST_F(FlowTest, AdjustsPrivilege) {
  run({0x66, 0xb8, 0x10, 0x00, 0x66, 0xb9, 0x03, 0x00, 0x63, 0xc8, 0xf4});
  EXPECT_EQ(reg(kEax), 0x13u);
  EXPECT_TRUE(has_flag(kFlagZf));
}

// mov ax, 2000; mov ds, ax; mov bx, ffff; mov byte [bx+2], 7; mov al, [1]; push ax; call 1f; hlt;
// 1: pop cx; jmp 2f; nop; 2:
TEST_F(FlowTest, RealMode) {
  enter_real_mode();
  run({0xb8, 0x00, 0x20, 0x8e, 0xd8, 0xbb, 0xff, 0xff, 0xc6, 0x47, 0x02, 0x07, 0xa0,
       0x01, 0x00, 0x50, 0xe8, 0x01, 0x00, 0xf4, 0x59, 0xeb, 0x01, 0x90, 0xf4});
  EXPECT_EQ(peek_at<u8>(0x20001), 7);
  EXPECT_EQ(reg(kEax) & 0xff, 7u);
  EXPECT_EQ(reg(kEcx), kCode + 19);
  EXPECT_EQ(reg(kEsp), kStack - 2);
  EXPECT_EQ(cpu_.state.eip(), kCode + 25);
}

// mov eax, 12345678; push eax; pop cx; pop dx; les di, [5000]; lds si, [5000]
TEST_F(FlowTest, RealModeFarPointers) {
  enter_real_mode();
  poke<u32>(kData, 0x30004321);
  run({0x66, 0xb8, 0x78, 0x56, 0x34, 0x12, 0x66, 0x50, 0x59, 0x5a, 0xc4, 0x3e, 0x00, 0x50, 0xc5, 0x36, 0x00,
       0x50, 0xf4});
  EXPECT_EQ(reg(kEcx), 0x5678u);
  EXPECT_EQ(reg(kEdx) & 0xffff, 0x1234u);
  EXPECT_EQ(reg(kEdi), 0x4321u);
  EXPECT_EQ(reg(kEsi), 0x4321u);
  EXPECT_EQ(cpu_.state.segment(Seg::es).base, 0x30000u);
  EXPECT_EQ(cpu_.state.segment(Seg::ds).selector, 0x3000u);
}

TEST_F(FlowTest, PrivilegedInstructionsNeedCplZero) {
  // hlt, lgdt, mov eax cr0, clts, rdmsr, wbinvd, invlpg
  const std::vector<std::vector<u8>> all = {{0xf4},
                                            {0x0f, 0x01, 0x15, 0, 0x50, 0, 0},
                                            {0x0f, 0x20, 0xc0},
                                            {0x0f, 0x06},
                                            {0x0f, 0x32},
                                            {0x0f, 0x09},
                                            {0x0f, 0x01, 0x38}};
  for (const std::vector<u8>& code : all) {
    cpu_.state.rip = kCode;
    cpu_.state.cpl = 3;
    for (unsigned i = 0; i < code.size(); ++i) poke<u8>(kCode + i, code[i]);
    // Without a TSS the delivery to ring 0 can't succeed; that it was tried is enough.
    cpu_.state.idtr.limit = 0;
    EXPECT_FALSE(interp_.step(false));
    EXPECT_EQ(cpu_.state.halted, 0);
    cpu_.state.shutdown = 0;
    cpu_.fault_chain.clear();
  }
}

}  // namespace
}  // namespace ringshift
