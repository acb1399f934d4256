// The KVM engine on this host's KVM: real mode and flat protected mode, which a software KVM runs too.
#include "hw-accel-kvm/kvm_engine.h"

#include <gtest/gtest.h>

#include <thread>

#include "cpu-model/cpu_fixture.h"
#include "cpu-model/empty_board.h"
#include "cpu-model/vcpu_dump.h"

namespace ringshift {
namespace {

class KvmEngineTest : public CpuFixture {
 protected:
  static constexpr u32 kCode = 0x1000;

  void SetUp() override {
    auto made = KvmEngine::create(cpu_, {.tsc_khz = 2'000'000});
    if (!made) GTEST_SKIP() << made.error().message;
    engine_ = *std::move(made);
    ports_.control = &control_;
    state_.segment(Seg::cs).selector = 0;
    state_.segment(Seg::cs).base = 0;
    state_.rip = kCode;
    state_.gpr[kEsp] = 0x8000;
  }
  void code(const std::vector<u8>& bytes, u32 at = kCode) {
    std::memcpy(memory_.base() + at, bytes.data(), bytes.size());
  }
  ExitReason run() {
    engine_->restore(state_);
    return again();
  }
  ExitReason again() {
    const ExitReason reason = engine_->run(ports_);
    engine_->save(state_);
    return reason;
  }

  static VcpuState reset_state() {
    VcpuState state{};
    reset_vcpu(state, 0x106c2);
    return state;
  }
  VcpuState state_ = reset_state();
  PortIo ports_;
  std::unique_ptr<KvmEngine> engine_;
};

TEST_F(KvmEngineTest, PortsAndHalt) {
  code({0xe5, 0x42, 0x40, 0xe7, 0x43, 0xf4});  // in ax, 42h; inc ax; out 43h, ax; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_.written, (std::vector<std::pair<u16, u32>>{{0x43, 0x43}}));
  EXPECT_EQ(state_.halted, 1);
  EXPECT_EQ(state_.rip, kCode + 6);
}

TEST_F(KvmEngineTest, StringOutput) {
  memory_.base()[0x2000] = 7;
  memory_.base()[0x2001] = 8;
  memory_.base()[0x2002] = 9;
  state_.gpr[kEcx] = 3;
  state_.gpr[kEdx] = 0x99;
  state_.gpr[kEsi] = 0x2000;
  code({0xf3, 0x6e, 0xf4});  // rep outsb; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_.written, (std::vector<std::pair<u16, u32>>{{0x99, 7}, {0x99, 8}, {0x99, 9}}));
  EXPECT_EQ(state_.reg16(kEcx), 0);
}

TEST_F(KvmEngineTest, MmioGoesToTheDoor) {
  state_.segment(Seg::ds).base = 0xa0000;
  state_.segment(Seg::ds).selector = 0xa000;
  code({0xa1, 0x34, 0x12, 0xc6, 0x06, 0x00, 0x01, 0x77, 0xf4});  // mov ax, [1234h]; mov byte [100h], 77h; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(state_.reg16(kEax), 0x3534);
  ASSERT_EQ(ports_.memory.accesses.size(), 2u);
  EXPECT_EQ(ports_.memory.accesses[1], (RecordingIo::Access{0xa0100, 1, 0x77, true}));
}

TEST_F(KvmEngineTest, WritesToRomVanish) {
  phys_.set_kind(0x9000, 1, PageKind::rom);
  memory_.base()[0x9000] = 1;
  code(
      {0xc6, 0x06, 0x00, 0x90, 0x55, 0xa0, 0x00, 0x90, 0xf4});  // mov byte [9000h], 55h; mov al, [9000h]; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(state_.reg8(0), 1);
  EXPECT_TRUE(ports_.memory.accesses.empty());
}

TEST_F(KvmEngineTest, MaskedA20Wraps) {
  memory_.base()[0x10] = 0x11;
  memory_.base()[0x100010] = 0x22;
  state_.segment(Seg::ds).base = 0xffff0;
  state_.segment(Seg::ds).selector = 0xffff;
  state_.a20_masked = 1;
  code({0xa0, 0x20, 0x00, 0xf4});  // mov al, [20h]; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(state_.reg8(0), 0x11);
  state_.a20_masked = 0;
  state_.halted = 0;
  state_.rip = kCode;
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(state_.reg8(0), 0x22);
}

TEST_F(KvmEngineTest, InterruptIsDeliveredOnceIfIsSet) {
  poke<u32>(0x21 * 4, 0x1100);  // vector 21h
  // out 1, al; sti; l: cmp byte [3000h], 0; je l; out 2, al; hlt
  code({0xe6, 0x01, 0xfb, 0x80, 0x3e, 0x00, 0x30, 0x00, 0x74, 0xf9, 0xe6, 0x02, 0xf4});
  code({0xe6, 0x03, 0xc6, 0x06, 0x00, 0x30, 0x01, 0xcf}, 0x1100);  // out 3, al; mov byte [3000h], 1; iret
  ports_.vector = 0x21;
  control_.raise_event(kEventInterrupt);
  EXPECT_EQ(run(), ExitReason::halted);
  ASSERT_EQ(ports_.written.size(), 3u);
  EXPECT_EQ(ports_.written[0].first, 1);
  EXPECT_EQ(ports_.written[1].first, 3);
  EXPECT_EQ(ports_.written[2].first, 2);
}

TEST_F(KvmEngineTest, InterruptWakesFromHalt) {
  poke<u32>(0x21 * 4, 0x1100);
  code({0xfb, 0xf4, 0xe6, 0x02, 0xf4});  // sti; hlt; out 2, al; hlt
  code({0xe6, 0x03, 0xcf}, 0x1100);
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_TRUE(ports_.written.empty());
  EXPECT_EQ(again(), ExitReason::halted);  // nothing woke it
  EXPECT_TRUE(ports_.written.empty());
  ports_.vector = 0x21;
  control_.raise_event(kEventInterrupt);
  EXPECT_EQ(again(), ExitReason::halted);
  ASSERT_EQ(ports_.written.size(), 2u);
  EXPECT_EQ(ports_.written[0].first, 3);
}

TEST_F(KvmEngineTest, SpuriousInterruptLeavesItHalted) {
  code({0xfb, 0xf4, 0xe6, 0x02, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  control_.raise_event(kEventInterrupt);
  EXPECT_EQ(again(), ExitReason::halted);
  EXPECT_TRUE(ports_.written.empty());
}

TEST_F(KvmEngineTest, NmiIsDelivered) {
  poke<u32>(2 * 4, 0x1100);
  code({0xe6, 0x02, 0xf4});
  code({0xe6, 0x03, 0xcf}, 0x1100);
  control_.raise_event(kEventNmi);
  EXPECT_EQ(run(), ExitReason::halted);
  ASSERT_EQ(ports_.written.size(), 2u);
  EXPECT_EQ(ports_.written[0].first, 3);
}

TEST_F(KvmEngineTest, RequestExitFromAnotherThreadEndsALoop) {
  code({0xeb, 0xfe});  // jmp $
  std::thread other([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    engine_->request_exit();
  });
  EXPECT_EQ(run(), ExitReason::requested);
  other.join();
  EXPECT_EQ(state_.rip, kCode);
}

TEST_F(KvmEngineTest, ServiceIsCalledAmidALoop) {
  code({0xeb, 0xfe});
  std::thread other([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    control_.raise_event(kEventService);
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    engine_->request_exit();
  });
  EXPECT_EQ(run(), ExitReason::requested);
  other.join();
  EXPECT_EQ(ports_.services, 1);
}

TEST_F(KvmEngineTest, ExitAmidPortInputFinishesTheInstruction) {
  code({0xe5, 0x42, 0xeb, 0xfe});  // in ax, 42h; jmp $
  control_.raise_event(kEventExit);
  EXPECT_EQ(run(), ExitReason::requested);
  EXPECT_EQ(state_.rip, kCode);  // before anything ran
  struct ExitingIo final : EmptyBoard {
    explicit ExitingIo(RunControl& c) : control(c) {}
    RunControl& control;
    u32 port_in(u16, unsigned) override {
      control.raise_event(kEventExit);
      return 0x1234;
    }
  } exiting(control_);
  EXPECT_EQ(engine_->run(exiting), ExitReason::requested);
  engine_->save(state_);
  EXPECT_EQ(state_.reg16(kEax), 0x1234);
  EXPECT_EQ(state_.rip, kCode + 2);
}

TEST_F(KvmEngineTest, SingleStep) {
  code({0x40, 0x43, 0xf4});  // inc ax; inc bx; hlt
  engine_->set_single_step(true);
  EXPECT_EQ(run(), ExitReason::requested);
  EXPECT_EQ(state_.rip, kCode + 1);
  EXPECT_EQ(again(), ExitReason::requested);
  EXPECT_EQ(state_.rip, kCode + 2);
  EXPECT_EQ(state_.reg16(kEbx), 1);
  EXPECT_EQ(state_.rflags & kFlagTf, 0u);
}

struct WriteListener final : PhysicalMapListener {
  std::vector<Gpa> pages;
  void on_write(Gpa gpa, u32) override { pages.push_back(gpa); }
  void on_page_changed(Gpa) override {}
};

TEST_F(KvmEngineTest, WatchedPagesThatAreWrittenAreToldOf) {
  WriteListener listener;
  phys_.add_listener(&listener, kAttrBtCode);
  phys_.add_attribute(0x7000, kAttrBtCode);
  phys_.add_attribute(0x6000, kAttrBtCode);
  code({0xc6, 0x06, 0x10, 0x70, 0x55, 0xf4});  // mov byte [7010h], 55h; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(listener.pages, std::vector<Gpa>{0x7000});
  phys_.remove_listener(&listener);
}

TEST_F(KvmEngineTest, StateComesBackUnchangedFromALoop) {
  state_.gpr[kEbx] = 0x12345678;
  state_.fx.bytes[0] = 0x7f;  // FCW 37Fh
  state_.fx.bytes[1] = 0x03;
  state_.fx.bytes[160] = 0xab;  // XMM0
  state_.dr[0] = 0x1234;
  state_.sysenter_eip = 0xc0001000;
  state_.pat = 0x0007040600070406;
  state_.nmi_masked = 1;
  code({0xeb, 0xfe});
  const VcpuState before = state_;
  control_.raise_event(kEventService);
  std::thread other([this] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    engine_->request_exit();
  });
  EXPECT_EQ(run(), ExitReason::requested);
  other.join();
  state_.tsc_offset = before.tsc_offset;  // the host's rate
  EXPECT_EQ(diff_vcpu(before, state_), "");
}

TEST_F(KvmEngineTest, PendingDebugTrapIsDeliveredFirst) {
  poke<u32>(1 * 4, 0x1100);
  code({0xe6, 0x02, 0xf4});
  code({0xe6, 0x03, 0xcf}, 0x1100);
  state_.pending_dr6 = 1;
  EXPECT_EQ(run(), ExitReason::halted);
  ASSERT_EQ(ports_.written.size(), 2u);
  EXPECT_EQ(ports_.written[0].first, 3);
  EXPECT_EQ(state_.dr[6] & 1, 1u);
}

class IoBreakpointTest : public KvmEngineTest {
 protected:
  // #DB writes to port 3, and takes the breakpoint away.
  void SetUp() override {
    KvmEngineTest::SetUp();
    if (IsSkipped()) return;
    poke<u32>(1 * 4, 0x1100);
    code({0xe6, 0x03, 0x66, 0x31, 0xc0, 0x0f, 0x23, 0xf8, 0xcf},
         0x1100);  // out 3, al; xor eax, eax; mov dr7, eax; iret
    state_.dr[1] = 0x44;
    state_.dr[7] = 0x400 | 8 | 2u << 20 | 1u << 22;  // G1, two ports from 44h on
    state_.cr4 = kCr4De;
  }
  std::vector<u16> ports_written() const {
    std::vector<u16> ports;
    for (const auto& [port, value] : ports_.written) ports.push_back(port);
    return ports;
  }
};

TEST_F(IoBreakpointTest, TrapsBehindTheInstruction) {
  code({0xe6, 0x42, 0xe6, 0x44, 0xe6, 0x02, 0xf4});  // out 42h, al; out 44h, al; out 2, al; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_written(), (std::vector<u16>{0x42, 0x44, 3, 2}));
  EXPECT_EQ(state_.dr[6] & 0xf, 2u);
  EXPECT_EQ(state_.rip, kCode + 7);
}

TEST_F(IoBreakpointTest, OnlyWithDe) {
  state_.cr4 = 0;
  code({0xe6, 0x44, 0xe6, 0x02, 0xf4});
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_written(), (std::vector<u16>{0x44, 2}));
}

TEST_F(IoBreakpointTest, OneTrapWithASingleStep) {
  state_.rflags |= kFlagTf;
  code({0xe5, 0x43, 0xe6, 0x02, 0xf4});                            // in ax, 43h
  code({0xe6, 0x03, 0x0f, 0x21, 0xf0, 0xe6, 0x04, 0xf4}, 0x1100);  // out 3, al; mov eax, dr6; out 4, al; hlt
  EXPECT_EQ(run(), ExitReason::halted);
  EXPECT_EQ(ports_written(), (std::vector<u16>{3, 4}));
  EXPECT_EQ(ports_.written.back().second & 0xf, 2u);
  EXPECT_EQ(state_.dr[6] & 0x4000, 0x4000u);
}

TEST_F(IoBreakpointTest, IsKeptWhenTheEngineIsLeft) {
  code({0xe6, 0x44, 0xe6, 0x02, 0xf4});
  struct ExitingIo final : PortIo {
    void port_out(u16 port, unsigned size, u32 value) override {
      PortIo::port_out(port, size, value);
      control->raise_event(kEventExit);
    }
  } exiting;
  exiting.control = &control_;
  engine_->restore(state_);
  EXPECT_EQ(engine_->run(exiting), ExitReason::requested);
  engine_->save(state_);
  EXPECT_EQ(state_.rip, kCode + 2);
  EXPECT_EQ(state_.pending_dr6, 2u);
  EXPECT_EQ(again(), ExitReason::halted);
  EXPECT_EQ(ports_written(), (std::vector<u16>{3, 2}));
}

TEST(KvmSystem, SaysWhatToDo) {
  const auto absent = KvmSystem::open("/nonexistent/kvm");
  ASSERT_FALSE(absent);
  EXPECT_EQ(absent.error().kind, ErrorKind::engine_unavailable);
  EXPECT_NE(absent.error().message.find("-engine bt"), std::string::npos);
  const auto other = KvmSystem::open("/dev/null");
  ASSERT_FALSE(other);
  EXPECT_EQ(other.error().kind, ErrorKind::engine_unavailable);
}

}  // namespace
}  // namespace ringshift
