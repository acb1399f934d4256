// Hand-over of memory: what an engine must drop when it is entered again.
#include "machine/hand_over_fixture.h"

namespace ringshift {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class HandOverCode : public HandOver {};
INSTANTIATE_TEST_SUITE_P(Ways, HandOverCode, kHandOverWays, hand_over_way);

TEST_P(HandOverCode, InTheMiddleOfRep) {
  // From a device's memory, which asks for the hand-over as it is read.
  static constexpr u32 kDevice = 0xfe000000, kCount = 200;
  cpu_.rep_round = 16;
  assemble(kCode, [](Asm& as) {
    as.mov(esi, kDevice);
    as.mov(edi, kData + 0x200);
    as.mov(ecx, kCount);
    as.rep().movsb();
    as.hlt();
  });
  initial_ = cpu_.state;
  initial_ram_.assign(memory_.base(), memory_.base() + kCompared);
  const Result wanted = run_switching("interp", ~u64{0}, "bt", {});
  EXPECT_EQ(wanted.ram[kData + 0x200 + 77], 77);
  for (const char* first : {"bt", "interp"}) {
    amid_rep_ = 0;
    line_io_.on_mmio = [this](Gpa gpa) {
      if (gpa != kDevice + 40 && gpa != kDevice + 90) return;
      next_ = set_->current_name() == "bt" ? "interp" : "bt";
      control_.raise_event(kEventExit);
    };
    const Result got = run_switching(first, ~u64{0}, "bt", {});
    EXPECT_EQ(amid_rep_, 2);
    EXPECT_EQ(bt::first_difference(got.state, wanted.state, bt::FxStates::compare), "");
    EXPECT_TRUE(got.ram == wanted.ram);
  }
}

TEST_P(HandOverCode, PatchedCode) {
  // A loop that patches the immediate of its own next instruction.
  expect_equal_everywhere(
      [](Asm& as) {
        const asmjit::Label loop = as.newLabel();
        const asmjit::Label patched = as.newLabel();
        as.mov(ecx, 6);
        as.bind(loop);
        as.mov(dword_ptr(patched, 1), ecx);
        as.bind(patched);
        as.mov(eax, 0x11223344);
        as.add(edx, eax);
        as.dec(ecx);
        as.jnz(loop);
        as.hlt();
      },
      {});
  EXPECT_EQ(wanted_.state.reg32(kEdx), initial_.reg32(kEdx) + 21);
}

TEST_P(HandOverCode, CodePatchedByTheOtherEngine) {
  // A subroutine is translated, then patched by interp, then called by bt, and the other way round; and with
  // a breakpoint armed somewhere, when bt's own interpreter executes it from the decode cache.
  cpu_.state.dr[0] = 0x123456;
  for (const u32 dr7 : {0x400u, 0x401u}) {
    assemble(kCode, [](Asm& as) {
      as.mov(eax, 1);
      as.hlt();
    });
    assemble(kCode + 0x1000, [](Asm& as) {
      as.inc(byte_ptr(kCode + 1));
      as.hlt();
    });
    const VcpuState begin = cpu_.state;
    const auto run = [&](const char* name, u32 eip) {
      EXPECT_TRUE(set_->switch_to(name));
      cpu_.state = begin;
      cpu_.state.rip = eip;
      cpu_.state.dr[7] = dr7;
      EXPECT_EQ(set_->run(line_io_), ExitReason::halted);
      return cpu_.state.reg32(kEax);
    };
    for (u32 value = 1; value < 40; value += 2) {
      EXPECT_EQ(run("bt", kCode), value);
      run("interp", kCode + 0x1000);
      EXPECT_EQ(run("bt", kCode), value + 1);
      EXPECT_EQ(run("interp", kCode), value + 1);
      run("bt", kCode + 0x1000);
      EXPECT_EQ(run("interp", kCode), value + 2);
    }
    cpu_.state = begin;
  }
}

// One engine's decodes of a page are dropped; the other's must still hear of writes to it.
TEST_P(HandOverCode, DecodesOfBothEngines) {
  static constexpr u32 kSecond = kCode + 1, kLast = kCode + kPageSize - 5, kPatches = kCode + 0x4000;
  assemble(kCode, [](Asm& as) {
    as.nop();  // fills the Tlb, without which nothing is found
    as.mov(ebx, 1);
    as.jmp(kLast);
  });
  assemble(kLast, [](Asm& as) {
    as.mov(eax, 1);  // the page's last instruction
    as.hlt();
  });
  for (const u32 patched : {kSecond, kLast}) {
    assemble(kPatches + (patched & 0xff0), [patched](Asm& as) {
      as.inc(byte_ptr(patched + 1));
      as.hlt();
    });
  }
  cpu_.state.dr[0] = 0x123456;
  cpu_.state.dr[7] = 0x401;  // bt interprets
  const VcpuState begin = cpu_.state;
  const auto run = [&](const char* name, u32 eip) {
    EXPECT_TRUE(set_->switch_to(name));
    cpu_.state = begin;
    cpu_.state.rip = eip;
    EXPECT_EQ(set_->run(line_io_), ExitReason::halted);
  };
  run("bt", kCode);      // decodes all of the page
  run("interp", kLast);  // the last instruction only
  run("interp", kPatches + (kLast & 0xff0));
  run("interp", kPatches + (kSecond & 0xff0));
  run("bt", kCode);
  EXPECT_EQ(reg(kEbx), 2u);
  EXPECT_EQ(reg(kEax), 2u);
}

TEST_P(HandOverCode, MappingsChangedByTheOtherEngine) {
  enter_paging();
  poke<u32>(kData, 0x1111);
  poke<u32>(kData + kPageSize, 0x2222);
  const u32 entry = kTable + (kData >> kPageShift) * 4;
  assemble(kCode, [](Asm& as) {
    as.mov(eax, dword_ptr(kData));
    as.hlt();
  });
  assemble(kCode + 0x1000, [&](Asm& as) {
    as.xor_(dword_ptr(entry), kPageSize);
    as.invlpg(ptr(kData));
    as.hlt();
  });
  const VcpuState begin = cpu_.state;
  const auto run = [&](const char* name, u32 eip) {
    EXPECT_TRUE(set_->switch_to(name));
    cpu_.state = begin;
    cpu_.state.rip = eip;
    EXPECT_EQ(set_->run(line_io_), ExitReason::halted);
    return cpu_.state.reg32(kEax);
  };
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(run("bt", kCode), 0x1111u);
    run("interp", kCode + 0x1000);
    EXPECT_EQ(run("bt", kCode), 0x2222u);
    EXPECT_EQ(run("interp", kCode), 0x2222u);
    run("bt", kCode + 0x1000);
    EXPECT_EQ(run("interp", kCode), 0x1111u);
  }
}

// An engine with a dirty log (KVM): translations of code and of addresses that it changed must go.
TEST_P(HandOverCode, WritesThatNoAttributeSaw) {
  enter_paging();
  poke<u32>(kData, 0x1111);
  poke<u32>(kData + kPageSize, 0x2222);
  assemble(kCode, [](Asm& as) {
    as.mov(ecx, 7);
    as.mov(eax, dword_ptr(kData));
    as.hlt();
  });
  const VcpuState begin = cpu_.state;
  BtOptions options;
  options.memory = GetParam();
  set_.reset();
  std::vector<std::unique_ptr<ExecutionEngine>> engines;
  engines.push_back(BtEngine::create(cpu_, options).value());
  engines.push_back(std::make_unique<Interpreter>(cpu_));
  engines.push_back(std::make_unique<UnseenEngine>(
      [&](VcpuState& state) {
        poke<u8>(kCode + 1, peek_at<u8>(kCode + 1) + 1);
        poke<u32>(kTable + (kData >> kPageShift) * 4,
                  peek_at<u32>(kTable + (kData >> kPageShift) * 4) ^ kPageSize);
        state.rip = kCode;
        state.pending_dr6 = 0;
      },
      std::vector<Gpa>{kCode, kTable}));
  set_.emplace(cpu_, std::move(engines));
  u32 count = 7;
  for (const char* other : {"bt", "interp", "bt", "bt", "interp", "interp"}) {
    EXPECT_TRUE(set_->switch_to(other));
    cpu_.state = begin;
    EXPECT_EQ(set_->run(line_io_), ExitReason::halted);
    EXPECT_EQ(reg(kEcx), count);
    EXPECT_EQ(reg(kEax), count % 2 != 0 ? 0x1111u : 0x2222u);
    EXPECT_TRUE(set_->switch_to("unseen"));
    EXPECT_EQ(set_->run(line_io_), ExitReason::requested);
    ++count;
  }
}

TEST_P(HandOverCode, PendingEventInTheStateOnly) {
  // As another engine may leave it: no event is raised in RunControl, and both must look.
  assemble(kCode, [](Asm& as) {
    as.inc(ecx);
    as.hlt();
  });
  for (const char* name : {"bt", "interp"}) {
    for (const bool nmi : {false, true}) {
      EXPECT_TRUE(set_->switch_to(name));
      VcpuState state = cpu_.state;
      state.halted = 0;
      state.nmi_masked = 0;
      state.rip = kCode;
      state.rflags = kFlagFixed;
      state.set_reg32(kEsp, kStackTop);
      (nmi ? state.nmi_pending : state.interrupt_shadow) = 0;
      if (nmi)
        state.nmi_pending = 1;
      else
        state.pending_dr6 = 1u << 14;
      poke<u32>(kLog, 0);
      control_.events = 0;
      set_->current().restore(state);
      EXPECT_EQ(set_->run(line_io_), ExitReason::halted);
      EXPECT_EQ(peek_at<u32>(kLog + 4), kCode | (nmi ? 2u : 1u) << 24) << name;
    }
  }
}

TEST_P(HandOverCode, UnknownEngine) {
  const auto refused = set_->switch_to("kvm");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("bt,interp"), std::string::npos);
  EXPECT_EQ(set_->current_name(), "bt");
}

}  // namespace
}  // namespace ringshift
