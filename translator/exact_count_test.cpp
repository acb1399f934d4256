// Virtual time: what devices see of the instruction count, and when events come, is the interpreter's to the
// instruction.
#include <fmt/format.h>

#include "cpu-model/empty_board.h"
#include "cpu-model/interp/interpreter.h"
#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

// Notes the count at each access, and interrupts the guest every `period` instructions, or sooner if it asks.
class CountingBoard final : public EmptyBoard {
 public:
  CountingBoard(Cpu& cpu, u64 period) : cpu_(cpu), period_(period) { cpu_.control.deadline = period; }

  u32 port_in(u16 port, unsigned) override {
    note("in", port);
    return static_cast<u32>(cpu_.control.retired);
  }
  // Port 40h: an alarm, so many instructions from now.
  void port_out(u16 port, unsigned, u32 value) override {
    note("out", port);
    if (port == 0x40) cpu_.control.deadline = std::min(cpu_.control.deadline, cpu_.control.retired + value);
  }
  u64 mmio_read(Gpa gpa, unsigned) override {
    note("read", gpa);
    return cpu_.control.retired;
  }
  void mmio_write(Gpa gpa, unsigned, u64) override { note("write", gpa); }
  int acknowledge_interrupt() override {
    note("interrupt at", cpu_.state.eip());
    cpu_.control.clear_event(kEventInterrupt);
    return 0x20;
  }
  u64 read_tsc() override {
    note("tsc", 0);
    return cpu_.control.retired * 4;
  }
  void service(u32) override {
    note("service", 0);
    if (cpu_.control.retired < cpu_.control.deadline) return;
    cpu_.control.deadline = cpu_.control.retired + period_;
    cpu_.control.raise_event(kEventInterrupt);
  }

  std::vector<std::string> log;

 private:
  void note(const char* what, u64 where) {
    log.push_back(fmt::format("{}: {} {:x}", cpu_.control.retired, what, where));
  }
  Cpu& cpu_;
  u64 period_;
};

class ExactCountTest : public BtFixture {
 protected:
  static constexpr u32 kMmio = 0xa0000;  // unmapped: the VGA window

  struct Run {
    std::vector<std::string> log;
    u64 retired;
    u32 gpr[8];
  };

  // A loop of what counts in its own way: callouts in the middle of blocks, faults, REP, CLI and STI, an
  // alarm that is due before its block ends, code that is rewritten.
  void write_guest() {
    assemble(kStubs + 0x20, [](Asm& as) { as.jmp(kStubs + 0x200); });
    assemble(kStubs + 0x200, [](Asm& as) {
      as.push(eax);
      as.in(al, 0x21);
      as.inc(dword_ptr(kData + 0x800));
      as.pop(eax);
      as.iretd();
    });
    assemble(kStubs, [](Asm& as) {  // #DE: over the DIV of two bytes
      as.add(dword_ptr(esp), 2);
      as.iretd();
    });
    assemble(kCode, [](Asm& as) {
      const asmjit::Label round = as.newLabel(), inner = as.newLabel(), patched = as.newLabel();
      as.mov(ebp, 60);
      as.xor_(ebx, ebx);
      as.sti();
      as.bind(round);
      as.in(al, 0x10);
      as.add(esi, eax);
      as.rdtsc();
      as.add(esi, eax);
      as.mov(eax, dword_ptr(kMmio));
      as.mov(dword_ptr(kMmio + 4), eax);
      as.mov(dword_ptr(kData + 4), eax);
      as.xor_(ecx, ecx);
      as.div(ecx);
      as.cli();
      as.mov(eax, 3);
      as.out(0x40, al);
      as.nop();
      as.nop();
      as.nop();
      as.nop();
      as.sti();
      as.nop();
      as.mov(ax, ds);
      as.mov(ss, ax);
      as.nop();
      as.mov(ecx, 20);
      as.bind(inner);
      as.add(ebx, ecx);
      as.loop(inner);
      as.mov(edi, kData + 0x100);
      as.mov(ecx, 100);
      as.cld();
      as.rep().stosd();
      as.pushfd();
      as.popfd();
      as.cli();
      as.pushfd();
      as.or_(dword_ptr(esp), kFlagIf);
      as.mov(eax, 2);
      as.out(0x40, al);
      as.nop();
      as.nop();
      as.nop();
      as.popfd();  // the alarm is due meanwhile: in the middle of a block
      as.nop();
      as.inc(byte_ptr(patched, 1));
      as.bind(patched);
      as.mov(dl, 0);
      as.dec(ebp);
      as.jnz(round);
      as.cli();
      as.hlt();
    });
  }

  Run run_on(ExecutionEngine& engine, u64 period) {
    write_guest();
    cpu_.state = start_;
    cpu_.flush_all();
    control_.retired = 0;
    control_.events = 0;
    CountingBoard board(cpu_, period);
    EXPECT_EQ(engine.run(board), ExitReason::halted);
    Run run{std::move(board.log), control_.retired, {}};
    for (unsigned i = 0; i < 8; ++i) run.gpr[i] = cpu_.state.reg32(i);
    return run;
  }

  VcpuState start_ = cpu_.state;
};

TEST_F(ExactCountTest, DevicesAndInterruptsSeeTheInterpretersCount) {
  control_.exact_count = true;
  for (const u64 period : {1000003u, 997u, 101u, 37u, 14u, 13u}) {
    Interpreter interpreter(cpu_);
    const Run wanted = run_on(interpreter, period);
    EXPECT_GE(wanted.retired, 60u * 60);
    EXPECT_GE(wanted.log.size(), 60u * 8);
    for (const auto memory :
         {BtOptions::Memory::soft, BtOptions::Memory::window, BtOptions::Memory::automatic}) {
      for (const u64 cache : {u64{100} << 10, u64{4} << 20}) {
        use(memory, cache);
        for (unsigned again = 0; again < 2; ++again) {
          const Run got = run_on(*engine_, period);
          EXPECT_EQ(got.retired, wanted.retired);
          ASSERT_EQ(got.log.size(), wanted.log.size());
          for (std::size_t i = 0; i < got.log.size(); ++i)
            ASSERT_EQ(got.log[i], wanted.log[i]) << "access " << i << ", period " << period;
          for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(got.gpr[i], wanted.gpr[i]) << i;
        }
        EXPECT_GE(count("bt: blocks translated"), 10u);
        engine_.reset();
      }
    }
  }
}

// MOV SS ends its block, and the deadline comes right behind it: the interrupt waits for one more
// instruction.
TEST_F(ExactCountTest, AShadowAtTheDeadlineHolds) {
  control_.exact_count = true;
  constexpr u32 kMovSs = kCode + kPageSize - 2;
  write_code(kMovSs - 1,
             {0x90, 0x8e, 0xd0, 0x40, 0x40, 0xfa, 0xf4});  // NOP; MOV SS, AX; INC EAX twice; CLI; HLT
  for (const u64 deadline : {1u, 2u, 3u, 4u}) {
    std::vector<std::string> wanted;
    for (const bool translate : {false, true}) {
      std::unique_ptr<ExecutionEngine> engine = std::make_unique<Interpreter>(cpu_);
      if (translate) engine = BtEngine::create(cpu_, {}).value();
      cpu_.state = start_;
      cpu_.state.rip = kMovSs - 1;
      cpu_.state.rflags |= kFlagIf;
      cpu_.state.set_reg32(kEax, 0x10);
      cpu_.flush_all();
      control_.retired = 0;
      control_.events = 0;
      CountingBoard board(cpu_, deadline);
      EXPECT_EQ(engine->run(board), ExitReason::halted);
      if (!translate) wanted = board.log;
      EXPECT_EQ(board.log, wanted);
    }
    ASSERT_GE(wanted.size(), 2u);
    if (deadline == 2) {
      EXPECT_EQ(wanted[1], fmt::format("3: interrupt at {:x}", kMovSs + 3));
    }
  }
}

// A block longer than what is left to the deadline isn't entered; one that just fits is.
TEST_F(ExactCountTest, TheDeadlineIsMetToTheInstruction) {
  control_.exact_count = true;
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.bind(loop);
    for (unsigned i = 0; i < 9; ++i) as.inc(eax);
    as.jmp(loop);
  });
  class Stopper final : public LineIo {
   public:
    using LineIo::LineIo;
    void service(u32) override {
      seen = control_.retired;
      control_.deadline = ~u64{0};
      control_.raise_event(kEventExit);
    }
    u64 seen = 0;
  } io(control_);
  use(BtOptions::Memory::soft);
  for (u64 at = 1; at < 40; ++at) {
    cpu_.state = start_;
    control_.retired = 0;
    control_.deadline = at;
    ASSERT_EQ(engine_->run(io), ExitReason::requested);
    EXPECT_EQ(io.seen, at);
    // As in the interpreter, nothing follows.
    EXPECT_EQ(control_.retired, at);
    EXPECT_EQ(reg(kEax), at - at / 10);
  }
}

}  // namespace
}  // namespace ringshift::bt
