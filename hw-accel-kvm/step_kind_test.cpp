// Which instructions KVM may step, and how.
#include "hw-accel-kvm/step_kind.h"

#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

class StepKindTest : public CpuFixture {
 protected:
  static constexpr u32 kCode = 0x1000, kStack = 0x8000, kGdt = 0x2000;

  void SetUp() override {
    enter_flat_mode();
    cpu_.state.rip = kCode;
    cpu_.state.gpr[kEsp] = kStack;
    cpu_.state.gdtr = {kGdt, 0x2f, 0};
  }
  StepKind kind(const std::vector<u8>& code) {
    std::memcpy(memory_.base() + kCode, code.data(), code.size());
    return step_kind(cpu_, peek_instruction(cpu_, decoder_));
  }
  Decoder decoder_{cpuid_};
};

TEST_F(StepKindTest, OfSingleInstructions) {
  EXPECT_EQ(kind({0x90}), StepKind::plain);
  EXPECT_EQ(kind({0xaa}), StepKind::plain);
  EXPECT_EQ(kind({0xf3, 0xaa}), StepKind::repeated);
  EXPECT_EQ(kind({0xf2, 0xae}), StepKind::repeated);
  EXPECT_EQ(kind({0xf3, 0x66, 0xa5}), StepKind::repeated);
  EXPECT_EQ(kind({0xf3, 0x90}), StepKind::plain);  // PAUSE
  EXPECT_EQ(kind({0x9c}), StepKind::pushes_flags);
  EXPECT_EQ(kind({0x66, 0x9c}), StepKind::pushes_flags);
  EXPECT_EQ(kind({0xfb}), StepKind::modelled);  // STI that opens
  cpu_.state.rflags |= kFlagIf;
  EXPECT_EQ(kind({0xfb}), StepKind::plain);
  EXPECT_EQ(kind({0x0f, 0x01, 0x1d, 0, 0, 0, 0}), StepKind::loads_idtr);
  EXPECT_EQ(kind({0x0f, 0x01, 0x0d, 0, 0, 0, 0}), StepKind::modelled);  // SIDT
  EXPECT_EQ(kind({0x0f, 0x01, 0x05, 0, 0, 0, 0}), StepKind::plain);     // SGDT
  EXPECT_EQ(kind({0xcd, 0x80}), StepKind::software_interrupt);
  EXPECT_EQ(kind({0xcc}), StepKind::software_interrupt);
  EXPECT_EQ(kind({0xf1}), StepKind::modelled);
  EXPECT_EQ(kind({0x8e, 0xd0}), StepKind::modelled);        // mov ss, eax
  EXPECT_EQ(kind({0x17}), StepKind::modelled);              // pop ss
  EXPECT_EQ(kind({0x8e, 0xd8}), StepKind::plain);           // mov ds, eax
  EXPECT_EQ(kind({0x0f, 0x31}), StepKind::modelled);        // RDTSC
  EXPECT_EQ(kind({0x0f, 0x32}), StepKind::modelled);        // RDMSR
  EXPECT_EQ(kind({0x0f, 0x23, 0xf8}), StepKind::modelled);  // mov dr7, eax
  EXPECT_EQ(kind({0x0f, 0x22, 0xd8}), StepKind::plain);     // mov cr3, eax
  EXPECT_EQ(kind({0xd9, 0x30}), StepKind::modelled);        // FNSTENV
  EXPECT_EQ(kind({0xd9, 0x20}), StepKind::plain);           // FLDENV
  EXPECT_EQ(kind({0x0f, 0xff}), StepKind::plain);           // no instruction: KVM is to raise it
}

TEST_F(StepKindTest, FlagsWithTf) {
  poke<u32>(kStack, 0x202);
  EXPECT_EQ(kind({0x9d}), StepKind::plain);
  poke<u32>(kStack, 0x302);
  EXPECT_EQ(kind({0x9d}), StepKind::modelled);
  EXPECT_EQ(kind({0xcf}), StepKind::plain);
  poke<u32>(kStack + 8, 0x302);
  EXPECT_EQ(kind({0xcf}), StepKind::modelled);
  poke<u32>(kStack + 8, 0);
  poke<u16>(kStack + 4, 0x302);
  EXPECT_EQ(kind({0x66, 0xcf}), StepKind::modelled);  // IRET of 16 bits
  poke<u32>(kStack + 4, 0);
  cpu_.state.rflags |= kFlagNt;
  EXPECT_EQ(kind({0xcf}), StepKind::modelled);  // to another task
}

TEST_F(StepKindTest, TaskSwitches) {
  poke<u8>(kGdt + 0x18 + 5, 0x89);  // a TSS
  poke<u8>(kGdt + 0x20 + 5, 0x8c);  // a call gate
  poke<u8>(kGdt + 0x28 + 5, 0x85);  // a task gate
  EXPECT_EQ(kind({0xea, 0, 0, 0, 0, 0x18, 0}), StepKind::modelled);
  EXPECT_EQ(kind({0x9a, 0, 0, 0, 0, 0x2b, 0}), StepKind::modelled);
  EXPECT_EQ(kind({0x9a, 0, 0, 0, 0, 0x20, 0}), StepKind::plain);
  poke<u16>(0x3004, 0x18);
  EXPECT_EQ(kind({0xff, 0x2d, 0x00, 0x30, 0, 0}), StepKind::modelled);  // jmp far [3000h]
  EXPECT_EQ(kind({0xff, 0x25, 0x00, 0x30, 0, 0}), StepKind::plain);     // jmp [3000h]
}

TEST_F(StepKindTest, TheGuestsOwnDebugging) {
  EXPECT_EQ(kind({0x90}), StepKind::plain);
  cpu_.state.interrupt_shadow = kShadowMovSs;
  EXPECT_EQ(kind({0x90}), StepKind::modelled);
  cpu_.state.interrupt_shadow = 0;
  cpu_.state.dr[7] = 2;
  EXPECT_EQ(kind({0x90}), StepKind::modelled);
  cpu_.state.dr[7] = 0x400;
  EXPECT_EQ(kind({0x90}), StepKind::plain);
  cpu_.state.rflags |= kFlagTf;
  EXPECT_EQ(kind({0x90}), StepKind::modelled);
}

}  // namespace
}  // namespace ringshift
