// Segment loads, SYSENTER, SYSEXIT and IRET in translated code, by light helpers.
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class Transitions : public BothMemories {
 protected:
  static constexpr u32 kUserCode = kCode + 0x1000, kUserStack = kStackTop - 0x1000;
  static constexpr u64 kFlatUserCode = 0x00cffb000000ffff, kFlatUserData = 0x00cff3000000ffff;
  // A 4 GiB data segment with a base.
  static u64 based(u32 base) {
    return 0x00cf93000000ffff | u64{base & 0xffffff} << 16 | u64{base >> 24} << 56;
  }
  // 8 and 16: kernel code and data; 24 and 32: user code and data; 40: a based segment.
  Transitions() {
    poke<u64>(kGdt + 24, kFlatUserCode);
    poke<u64>(kGdt + 32, kFlatUserData);
    poke<u64>(kGdt + 40, based(kData));
    cpu_.state.gdtr.limit = 0x37;
    cpu_.state.sysenter_cs = 8;
    cpu_.state.sysenter_esp = kStackTop;
    cpu_.state.sysenter_eip = kCode;
    poke<u32>(kData, 111);
    poke<u32>(kData + 4, 222);
  }
  // IRETD to user code with these flags, all data segments being the user's.
  static void return_to_user(Asm& as, u32 flags) {
    as.mov(eax, 35);
    for (const asmjit::x86::SReg& segment : {ds, es, fs, gs}) as.mov(segment, ax);
    as.push(35);
    as.push(kUserStack);
    as.push(flags);
    as.push(27);
    as.push(kUserCode);
    as.iretd();
  }
  // A busy 32-bit TSS whose stack for CPL 0 is the kernel's.
  void give_task() {
    constexpr u32 kTss = kData + 0x100;
    cpu_.state.tr = {0, 0, kSegPresent | 11, 0x67, 0, kTss};
    poke<u32>(kTss + 4, kStackTop);  // ESP0
    poke<u16>(kTss + 8, 16);         // SS0
  }
  u64 interpreted() const { return count("exits: interpreted instruction"); }
};

INSTANTIATE_TEST_SUITE_P(Bt, Transitions, kEachWay, way_name);

TEST_P(Transitions, SegmentLoadsAreRemembered) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 10000);
    as.xor_(ebx, ebx);
    as.bind(loop);
    as.mov(eax, 40);
    as.mov(fs, ax);
    Mem first = dword_ptr_abs(0);
    first.setSegment(fs);
    as.add(ebx, first);
    as.push(16);
    as.pop(fs);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEbx), 1'110'000u);
  EXPECT_EQ(reg(kEsp), kStackTop);
  EXPECT_LE(interpreted(), 8u);
}

// The descriptor is read each time, whatever is remembered.
TEST_P(Transitions, ADescriptorThatChangesIsLoadedAnew) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label again = as.newLabel();
    Mem first = dword_ptr_abs(0);
    first.setSegment(fs);
    as.xor_(esi, esi);
    as.mov(eax, 40);
    as.bind(again);
    as.mov(fs, ax);
    as.mov(fs, ax);
    as.mov(ebx, edi);
    as.mov(edi, first);
    as.add(dword_ptr(kGdt + 40), 4 << 16);  // the base moves
    as.inc(esi);
    as.cmp(esi, 2);
    as.jne(again);
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEbx), 111u);
  EXPECT_EQ(reg(kEdi), 222u);
}

TEST_P(Transitions, BadSelectorsFaultAsEver) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, 40);
    as.mov(fs, ax);
    as.mov(fs, ax);
    as.and_(dword_ptr(kGdt + 44), ~(1u << 15));  // not present
    as.push(40);
    as.pop(fs);
    as.hlt();
  });
  run();
  EXPECT_EQ(vector(), 11u);
  EXPECT_EQ(peek_at<u32>(reg(kEsp)), 40u);
  EXPECT_EQ(reg(kEsp), kStackTop - 4 - 16);
}

// To user code by SYSEXIT and back by SYSENTER, 10,000 times, flags and registers kept.
TEST_P(Transitions, SystemCallsStayInTheCache) {
  assemble(kUserCode, [](Asm& as) {
    as.stc();
    as.sysenter();
  });
  assemble(kCode, [](Asm& as) {
    const asmjit::Label done = as.newLabel();
    as.jnc(done);
    as.inc(ebx);
    as.cmp(ebx, 10000);
    as.je(done);
    as.mov(edx, kUserCode);
    as.mov(ecx, kUserStack);
    as.sti();
    as.sysexit();
    as.bind(done);
    as.hlt();
  });
  cpu_.state.rflags |= kFlagCf;
  cpu_.state.set_reg32(kEbx, 0);
  run();
  EXPECT_EQ(reg(kEbx), 10000u);
  EXPECT_EQ(cpu_.state.cpl, 0);
  EXPECT_EQ(reg(kEsp), kStackTop);
  EXPECT_EQ(cpu_.state.eflags() & kFlagIf, 0u);
  EXPECT_LE(interpreted(), 16u);
}

TEST_P(Transitions, SysexitLetsInterruptsIn) {
  give_task();
  assemble(kUserCode, [](Asm& as) {
    as.mov(esi, 1);
    as.ud2();
  });
  assemble(kCode, [](Asm& as) {
    as.mov(edx, kUserCode);
    as.mov(ecx, kUserStack);
    as.sti();
    as.sysexit();
  });
  cpu_.state.set_reg32(kEsi, 0);
  control_.raise_event(kEventInterrupt);
  run();
  EXPECT_EQ(vector(), u32{LineIo::kVector});
  EXPECT_EQ(reg(kEsi), 0u);
  EXPECT_EQ(peek_at<u32>(reg(kEsp)), kUserCode);
}

// INT 3 from user code and IRET back: the frame's flags, stack and segments.
TEST_P(Transitions, IretGoesBackToUserCode) {
  give_task();
  constexpr u32 kHandler = kCode + 0x800;
  poke<u64>(kIdt + 3 * 8, u64{kHandler & 0xffff} | u64{8} << 16 | u64{0xee00} << 32);
  poke<u64>(kIdt + 4 * 8, u64{kStubs + 4} | u64{8} << 16 | u64{0xee00} << 32);
  poke<u16>(kIdt + 3 * 8 + 6, kHandler >> 16);
  assemble(kHandler, [](Asm& as) {
    as.xor_(dword_ptr(esp, 8), kFlagZf | kFlagOf);
    as.iretd();
  });
  assemble(kUserCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), wrong = as.newLabel();
    as.mov(ecx, 1000);
    as.bind(loop);
    as.cmp(ecx, 0);  // never equal
    as.int3();
    as.jne(wrong);
    as.jno(wrong);
    as.dec(ecx);
    as.jnz(loop);
    as.bind(wrong);
    as.int_(4);
  });
  assemble(kCode, [](Asm& as) { return_to_user(as, kFlagFixed | kFlagIf); });
  run();
  EXPECT_EQ(vector(), 4u);
  EXPECT_EQ(reg(kEcx), 0u);
  EXPECT_EQ(peek_at<u32>(reg(kEsp) + 4), 27u);
  EXPECT_EQ(peek_at<u32>(reg(kEsp) + 12), kUserStack);
  EXPECT_EQ(peek_at<u32>(reg(kEsp) + 16), 35u);
  EXPECT_LE(interpreted(), 1000u + 16);  // INT3 alone
}

// An IRQ that IRET lets in comes before the instruction that RF is to hold for: it is saved with RF.
TEST_P(Transitions, AnInterruptAtIretSavesRf) {
  give_task();
  assemble(kUserCode, [](Asm& as) { as.ud2(); });
  for (const u32 resumed : {kFlagRf, 0u, kFlagRf}) {
    assemble(kCode, [&](Asm& as) { return_to_user(as, kFlagFixed | kFlagIf | resumed); });
    const VcpuState kernel = cpu_.state;
    run();  // by the end of it the segments are known
    EXPECT_EQ(vector(), 6u);
    cpu_.state = kernel;
    control_.raise_event(kEventInterrupt);
    run();
    EXPECT_EQ(vector(), u32{LineIo::kVector});
    EXPECT_EQ(peek_at<u32>(reg(kEsp)), kUserCode);
    EXPECT_EQ(peek_at<u32>(reg(kEsp) + 8), kFlagFixed | kFlagIf | resumed);
    cpu_.state = kernel;
  }
}

// A kernel data segment that user code must not keep is dropped by IRET.
TEST_P(Transitions, IretDropsSegmentsOfTheKernel) {
  give_task();
  assemble(kUserCode, [](Asm& as) { as.ud2(); });
  assemble(kCode, [](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.bind(again);
    as.mov(eax, 16);
    as.mov(gs, ax);
    as.push(35);
    as.push(kUserStack);
    as.push(kFlagFixed);
    as.push(27);
    as.push(kUserCode);
    as.iretd();
  });
  for (int round = 0; round < 3; ++round) {
    set_cpl(0);
    enter_flat_mode();
    cpu_.state.set_reg32(kEsp, kStackTop - 0x400);
    run_from(kCode);
    EXPECT_EQ(vector(), 6u);
    EXPECT_FALSE(cpu_.state.segment(Seg::gs).usable());
  }
}

// CR0.TS on and off 10,000 times, by MOV and by CLTS; then FLD1 raises #NM.
TEST_P(Transitions, TaskSwitchedIsSetAndCleared) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.fninit();
    as.mov(ecx, 10000);
    as.bind(loop);
    as.mov(eax, cr0);
    as.or_(eax, kCr0Ts);
    as.mov(cr0, eax);
    as.clts();
    as.fld1();
    as.fstp(st0);
    as.dec(ecx);
    as.jnz(loop);
    as.mov(cr0, eax);
    as.fld1();
    as.hlt();
  });
  run();
  EXPECT_EQ(vector(), 7u);
  EXPECT_NE(cpu_.state.cr0 & kCr0Ts, 0u);
  EXPECT_EQ(reg(kEcx), 0u);
  EXPECT_LE(interpreted(), 8u);
}

// A MOV to CR0 that changes more, or what can't be: by the interpreter, WP's flush and #GP included.
TEST_P(Transitions, OtherBitsOfCr0AreTheInterpreters) {
  assemble(kCode, [](Asm& as) {
    as.mov(eax, cr0);
    as.or_(eax, kCr0Am | kCr0Ts);
    as.mov(cr0, eax);
    as.mov(ebx, cr0);
    as.or_(eax, kCr0Nw);  // without CD
    as.mov(cr0, eax);
    as.hlt();
  });
  run();
  EXPECT_EQ(vector(), 13u);
  EXPECT_EQ(reg(kEbx), static_cast<u32>(cpu_.state.cr0));
  EXPECT_EQ(reg(kEbx) & (kCr0Am | kCr0Ts | kCr0Nw), kCr0Am | kCr0Ts);
}

TEST_P(Transitions, CpuidAnswersByTheTable) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(esi, 10000);
    as.bind(loop);
    as.mov(eax, 1);
    as.cpuid();
    as.dec(esi);
    as.jnz(loop);
    as.mov(edi, edx);
    as.xor_(ecx, ecx);
    as.mov(eax, 0x12345678);  // beyond the last: as that
    as.cpuid();
    as.hlt();
  });
  run();
  EXPECT_EQ(reg(kEdi), cpu_.cpuid.query(1, 0).edx);
  EXPECT_EQ(reg(kEbx), cpu_.cpuid.query(0x12345678, 0).ebx);
  EXPECT_LE(interpreted(), 4u);
}

// At CPL 3: PUSHFD and POPFD of what may change stay in the cache; IF and IOPL stay as they are.
TEST_P(Transitions, PopfAtCpl3) {
  assemble(kUserCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(esi, 10000);
    as.bind(loop);
    as.pushfd();
    as.xor_(dword_ptr(esp), kFlagCf | kFlagZf | kFlagOf);
    as.popfd();
    as.pushfd();
    as.pop(edi);
    as.dec(esi);
    as.jnz(loop);
    as.push(kFlagFixed | kFlagIopl | kFlagSf);  // without IF
    as.popfd();
    as.pushfd();
    as.pop(ebx);
    as.sysenter();
  });
  assemble(kCode, [](Asm& as) {
    const asmjit::Label done = as.newLabel();
    as.test(ebx, ebx);
    as.jnz(done);
    as.sti();
    as.mov(edx, kUserCode);
    as.mov(ecx, kUserStack);
    as.sysexit();
    as.bind(done);
    as.hlt();
  });
  cpu_.state.set_reg32(kEbx, 0);
  run();
  EXPECT_EQ(reg(kEbx), kFlagFixed | kFlagIf | kFlagSf);
  EXPECT_EQ(reg(kEdi) & (kFlagIf | kFlagIopl), kFlagIf);
  EXPECT_LE(interpreted(), 8u);
}

}  // namespace
}  // namespace ringshift::bt
