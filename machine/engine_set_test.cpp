// Hand-over: programs that switch engines at each of their instruction boundaries, among them every place
// where something could be lost, and what an engine must drop when it is entered again.
#include "machine/engine_set.h"

#include <gtest/gtest.h>

#include <map>

#include "cpu-model/interp/interpreter.h"
#include "translator/bt_fixture.h"
#include "translator/verify_compare.h"

namespace ringshift {
namespace {

using namespace asmjit::x86;

// Does things at exact counts of retired instructions.
class ScheduledIo final : public bt::LineIo {
 public:
  using LineIo::LineIo;
  void service(u32) override {
    const u64 now = control_.retired;
    while (!schedule_.empty() && schedule_.begin()->first <= now) {
      const auto action = schedule_.begin()->second;
      schedule_.erase(schedule_.begin());
      action();
    }
    control_.deadline = schedule_.empty() ? ~u64{0} : schedule_.begin()->first;
  }
  void at(u64 count, std::function<void()> action) {
    schedule_.emplace(count, std::move(action));
    control_.deadline = schedule_.begin()->first;
  }
  void clear() { schedule_.clear(); }
  u64 read_tsc() override { return control_.retired * 8; }
  u64 mmio_read(Gpa gpa, unsigned) override {
    if (on_mmio) on_mmio(gpa);
    return static_cast<u8>(gpa);
  }
  std::function<void(Gpa)> on_mmio;

 private:
  std::multimap<u64, std::function<void()>> schedule_;
};

// An engine like one whose writes no page attribute sees: run() does what a test says.
class UnseenEngine final : public ExecutionEngine {
 public:
  UnseenEngine(std::function<void(VcpuState&)> work, std::vector<Gpa> dirty)
      : work_(std::move(work)), dirty_(std::move(dirty)) {}
  ExitReason run(CpuIo&) override {
    work_(state_);
    return ExitReason::requested;
  }
  void request_exit() override {}
  void save(VcpuState& state) const override { state = state_; }
  void restore(const VcpuState& state) override { state_ = state; }
  void note_writes(PhysicalMap& map) override {
    for (const Gpa page : dirty_) map.note_page_write(page);
  }
  EngineCapabilities capabilities() const override { return {"unseen", false, false}; }
  void report(StatsSink&) const override {}

 private:
  VcpuState state_{};
  std::function<void(VcpuState&)> work_;
  std::vector<Gpa> dirty_;
};

class HandOver : public bt::BtFixture, public ::testing::WithParamInterface<BtOptions::Memory> {
 protected:
  static constexpr u64 kCompared = 0x80000;
  static constexpr u32 kLog = kData + 0x8000;  // handlers write here

  HandOver() {
    control_.exact_count = true;
    cpu_.state.cr0 |= kCr0Ne;
    cpu_.state.segment(Seg::cs).selector = 8;
    for (const Seg seg : {Seg::es, Seg::ss, Seg::ds}) cpu_.state.segment(seg).selector = 16;
    // Each handler notes the EIP that it is to return to.
    for (const u8 vector : {u8{1}, u8{2}, u8{16}, ScheduledIo::kVector}) {
      const u32 at = 0x20000 + vector * 64u;
      assemble(at, [&](Asm& as) {
        as.push(eax);
        as.mov(eax, dword_ptr(kLog));
        as.add(eax, 4);
        as.mov(dword_ptr(kLog), eax);
        as.push(dword_ptr(esp, 4));
        as.pop(dword_ptr(eax, kLog));
        if (vector == 16) as.fnclex();
        as.mov(byte_ptr(eax, kLog + 3), vector);
        as.pop(eax);
        as.iretd();
      });
      set_gate(vector, at);
    }
    BtOptions options;
    options.memory = GetParam();
    options.cache_bytes = u64{2} << 20;
    std::vector<std::unique_ptr<ExecutionEngine>> engines;
    engines.push_back(BtEngine::create(cpu_, options).value());
    engines.push_back(std::make_unique<Interpreter>(cpu_));
    set_.emplace(cpu_, std::move(engines));
  }
  void set_gate(u32 vector, u32 to) {
    poke<u64>(kIdt + vector * 8, u64{to & 0xffff} | u64{8} << 16 | u64{0x8e00} << 32 | u64{to >> 16} << 48);
  }

  void hand_over(const char* to) {
    EXPECT_TRUE(set_->switch_to(to));
    if (memory_.base()[cpu_.state.eip()] == 0xf3 && reg(kEcx) != 0 && reg(kEcx) < 200) ++amid_rep_;
  }

  // What a whole run came to.
  struct Result {
    VcpuState state;
    std::vector<u8> ram;
    u64 retired;
  };
  struct Happening {
    u64 at;
    std::function<void()> what;
  };

  // From kCode by the first engine; from `at` on by the other, and back at `back_at`, to a HLT with IF clear.
  Result run_switching(const char* first, u64 at, const char* second,
                       const std::vector<Happening>& happenings, u64 back_at = ~u64{0}) {
    std::memcpy(memory_.base(), initial_ram_.data(), kCompared);
    for (Gpa page = 0; page < kCompared; page += kPageSize) phys_.note_page_write(page);
    control_.events = 0;
    control_.retired = 0;
    line_io_.clear();
    EXPECT_TRUE(set_->switch_to(first));
    set_->current().restore(initial_);
    for (const Happening& happening : happenings) line_io_.at(happening.at, happening.what);
    next_ = nullptr;
    const auto schedule = [&](u64 count, const char* engine) {
      if (count != ~u64{0})
        line_io_.at(count, [this, engine] {
          next_ = engine;
          control_.raise_event(kEventExit);
        });
    };
    schedule(at, second);
    schedule(back_at, first);
    for (int runs = 0; runs < 100; ++runs) {
      const ExitReason reason = set_->run(line_io_);
      EXPECT_NE(reason, ExitReason::shutdown);
      control_.clear_event(kEventExit);
      if (next_ != nullptr) hand_over(std::exchange(next_, nullptr));
      if (reason != ExitReason::halted) continue;
      if ((cpu_.state.rflags & kFlagIf) == 0) break;
      // As the machine does: time passes until something happens.
      if (halted_) halted_();
    }
    Result result{{}, {}, control_.retired};
    set_->current().save(result.state);
    result.ram.assign(memory_.base(), memory_.base() + kCompared);
    return result;
  }

  // Runs the code by the interpreter, and with hand-overs at each boundary, there and back: all must be
  // equal.
  void expect_equal_everywhere(const std::function<void(Asm&)>& code,
                               const std::vector<Happening>& happenings) {
    assemble(kCode, code);
    initial_ = cpu_.state;
    initial_ram_.assign(memory_.base(), memory_.base() + kCompared);
    const Result wanted = run_switching("interp", ~u64{0}, "bt", happenings);
    ASSERT_NE(wanted.state.halted, 0);
    wanted_ = wanted;
    const auto check = [&](const char* first, const char* second, u64 at, u64 back_at) {
      SCOPED_TRACE(fmt::format("{} to {} at {}, back at {}", first, second, at, back_at));
      const Result got = run_switching(first, at, second, happenings, back_at);
      EXPECT_EQ(bt::first_difference(got.state, wanted.state, bt::FxStates::compare), "");
      EXPECT_EQ(got.retired, wanted.retired);
      EXPECT_TRUE(got.ram == wanted.ram)
          << "RAM differs at " << std::hex
          << std::mismatch(got.ram.begin(), got.ram.end(), wanted.ram.begin()).first - got.ram.begin();
    };
    check("bt", "interp", ~u64{0}, ~u64{0});
    for (u64 at = 0; at < std::min<u64>(wanted.retired, 60); ++at) {
      for (const u64 back : {~u64{0}, at + 1, at + 2}) {
        check("bt", "interp", at, back);
        check("interp", "bt", at, back);
      }
    }
  }
  // The vectors delivered and where each returned to (24 bits), in order.
  std::vector<std::pair<u32, u32>> log() const {
    std::vector<std::pair<u32, u32>> entries;
    u32 bytes;
    std::memcpy(&bytes, wanted_.ram.data() + kLog, 4);
    for (u32 at = 4; at <= bytes; at += 4) {
      u32 word;
      std::memcpy(&word, wanted_.ram.data() + kLog + at, 4);
      entries.emplace_back(word >> 24, word & 0xffffff);
    }
    return entries;
  }
  Happening interrupt(u64 at) {
    return {at, [this] { control_.raise_event(kEventInterrupt); }};
  }
  Happening nmi(u64 at) {
    return {at, [this] { control_.raise_event(kEventNmi); }};
  }

  ScheduledIo line_io_{control_};
  std::optional<EngineSet> set_;
  std::function<void()> halted_;
  int amid_rep_ = 0;
  const char* next_ = nullptr;  // to be handed over to
  VcpuState initial_{};
  std::vector<u8> initial_ram_;
  Result wanted_{};
};

using Log = std::vector<std::pair<u32, u32>>;

TEST_P(HandOver, InterruptShadowOfSti) {
  expect_equal_everywhere(
      [](Asm& as) {
        as.nop();
        as.nop();
        as.sti();        // 10002
        as.mov(ecx, 5);  // 10003: the shadow holds what waits off until behind this
        as.mov(edx, 6);  // 10008
        as.cli();
        as.hlt();
      },
      {interrupt(1)});
  EXPECT_EQ(log(), (Log{{0x20, 0x10008}}));
}

TEST_P(HandOver, DebugExceptionHeldOffByMovSs) {
  // MOV SS from a watched word: the #DB comes behind the next instruction (SDM vol. 3A 6.8.3).
  poke<u32>(kData, 16);
  cpu_.state.dr[0] = kData;
  cpu_.state.dr[7] = 0x400 | 1 | 3u << 16 | 3u << 18;
  expect_equal_everywhere(
      [](Asm& as) {
        as.nop();
        as.mov(ss, word_ptr(kData));  // 10001
        as.nop();                     // behind 7 bytes
        as.mov(ecx, 7);
        as.hlt();
      },
      {});
  ASSERT_EQ(log().size(), 1u);
  EXPECT_EQ(log()[0].first, 1u);
  EXPECT_EQ(wanted_.ram[log()[0].second - 1], 0x90);  // behind the NOP
}

TEST_P(HandOver, SingleSteps) {
  expect_equal_everywhere(
      [](Asm& as) {
        as.pushfd();
        as.or_(dword_ptr(esp), kFlagTf);
        as.popfd();
        as.inc(ecx);
        as.mov(edx, 1);
        as.pushfd();
        as.and_(dword_ptr(esp), ~kFlagTf);
        as.popfd();
        as.inc(ecx);
        as.hlt();
      },
      {});
  EXPECT_EQ(log().size(), 5u);
}

TEST_P(HandOver, NmiMaskedUntilIret) {
  // The second NMI arrives while the first's handler runs, and waits for its IRET.
  expect_equal_everywhere(
      [](Asm& as) {
        as.nop();
        for (int i = 0; i < 10; ++i) as.inc(ecx);
        as.hlt();
      },
      {nmi(2), nmi(6)});
  ASSERT_EQ(log().size(), 2u);
  EXPECT_EQ(log()[0].first, 2u);
  EXPECT_EQ(log()[1], log()[0]);  // at once after the first, before another instruction
}

TEST_P(HandOver, PendingX87Exception) {
  u32 waiting = 0;
  expect_equal_everywhere(
      [&](Asm& as) {
        as.fninit();
        as.fldcw(word_ptr(kData));
        as.fld1();
        as.fldz();
        as.fdivp();  // 1 / 0: pending from here on
        as.nop();
        as.mov(ecx, 3);
        waiting = kCode + static_cast<u32>(as.offset());
        as.fldpi();  // reports it
        as.hlt();
      },
      {{0, [this] { poke<u16>(kData, 0x037b); }}});
  EXPECT_EQ(log(), (Log{{16, waiting}}));
}

TEST_P(HandOver, SseStateAndMxcsr) {
  cpu_.state.cr4 |= kCr4OsFxsr | kCr4OsXmmExcpt;
  poke<u32>(kData, 0x5f80);  // round up
  poke<u32>(kData + 16, 0x3f800001);
  expect_equal_everywhere(
      [](Asm& as) {
        as.ldmxcsr(dword_ptr(kData));
        as.movss(xmm1, dword_ptr(kData + 16));
        as.movaps(xmm7, xmm1);
        as.mulss(xmm7, xmm1);
        as.divss(xmm1, xmm7);
        as.movss(dword_ptr(kData + 32), xmm7);
        as.stmxcsr(dword_ptr(kData + 36));
        as.hlt();
      },
      {});
}

TEST_P(HandOver, HaltedUntilAnInterrupt) {
  // While halted no instruction retires: the interrupt comes, and the hand-over before or after it.
  const u32 behind = kCode + 2;
  assemble(kCode, [](Asm& as) {
    as.sti();
    as.hlt();
    as.cli();
    as.hlt();
  });
  initial_ = cpu_.state;
  initial_ram_.assign(memory_.base(), memory_.base() + kCompared);
  for (const bool switch_first : {false, true}) {
    for (const auto& [first, second] : {std::pair{"bt", "interp"}, std::pair{"interp", "bt"}}) {
      halted_ = [&, to = second] {
        if (switch_first) hand_over(to);
        EXPECT_NE(cpu_.state.halted, 0);
        control_.raise_event(kEventInterrupt);
        if (!switch_first) hand_over(to);
      };
      wanted_ = run_switching(first, ~u64{0}, second, {});
      EXPECT_EQ(set_->current_name(), second);
      EXPECT_EQ(wanted_.retired, 9u + 4) << "the handler's, and ours";
      EXPECT_EQ(log(), (Log{{0x20, behind}}));
    }
  }
}

TEST_P(HandOver, TimeStampCounterGoesOn) {
  cpu_.state.tsc_offset = 12345;
  expect_equal_everywhere(
      [](Asm& as) {
        for (int i = 0; i < 4; ++i) {
          as.rdtsc();
          as.mov(dword_ptr(kData + i * 4), eax);
        }
        as.hlt();
      },
      {});
}

TEST_P(HandOver, InTheMiddleOfRep) {
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

TEST_P(HandOver, PatchedCode) {
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

TEST_P(HandOver, CodePatchedByTheOtherEngine) {
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
TEST_P(HandOver, DecodesOfBothEngines) {
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

TEST_P(HandOver, MappingsChangedByTheOtherEngine) {
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
TEST_P(HandOver, WritesThatNoAttributeSaw) {
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

TEST_P(HandOver, PendingEventInTheStateOnly) {
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

TEST_P(HandOver, UnknownEngine) {
  const auto refused = set_->switch_to("kvm");
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("bt,interp"), std::string::npos);
  EXPECT_EQ(set_->current_name(), "bt");
}

INSTANTIATE_TEST_SUITE_P(Ways, HandOver,
                         ::testing::Values(BtOptions::Memory::soft, BtOptions::Memory::window,
                                           BtOptions::Memory::automatic),
                         [](const auto& way) {
                           return std::string(way.param == BtOptions::Memory::soft     ? "soft"
                                              : way.param == BtOptions::Memory::window ? "window"
                                                                                       : "automatic");
                         });

}  // namespace
}  // namespace ringshift
