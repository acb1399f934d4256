// TrapFixture: for tests, the trap engine over a Cpu with descriptor tables, whose handlers tell their
// vector.
#pragma once

#include <gtest/gtest.h>

#include "cpu-model/cpu_fixture.h"
#include "direct-exec/trap_engine.h"

namespace ringshift {

class TrapIo final : public PortIo {
 public:
  u64 read_tsc() override { return 0x123456789a; }
};

class TrapFixture : public CpuFixture {
 protected:
  static constexpr u32 kGdt = 0x800, kTss = 0x900, kIdt = 0x1000, kHandlers = 0x2000, kCode = 0x10000;
  static constexpr u32 kKernelStack = 0x8000, kUserStack = 0x9000, kDirectory = 0x20000;

  void SetUp() override {
    make_tables();
    auto made = TrapEngine::create(cpu_);
    if (!made) GTEST_SKIP() << made.error().message;
    engine_ = *std::move(made);
    ports_.control = &control_;
    cpu_.state = {};
    enter_flat_mode();
    state_ = cpu_.state;
    state_.rip = kCode;
    state_.rflags = kFlagFixed;
    state_.gpr[kEsp] = kKernelStack;
    state_.gdtr = {kGdt, 0x7f, 0};
    state_.idtr = {kIdt, 0x7ff, 0};
    state_.tr = {0x28, 0, 0x8b, 0x67, 0, kTss};
    state_.fx.bytes[0] = 0x7f;  // FCW 037F, MXCSR 1F80
    state_.fx.bytes[1] = 0x03;
    state_.fx.bytes[24] = 0x80;
    state_.fx.bytes[25] = 0x1f;
  }

  // Each handler writes to the port whose number is its vector, and halts.
  void make_tables() {
    poke<u64>(kGdt + 0x08, 0x00cf9b000000ffff);
    poke<u64>(kGdt + 0x10, 0x00cf93000000ffff);
    poke<u64>(kGdt + 0x18, 0x00cffb000000ffff);
    poke<u64>(kGdt + 0x20, 0x00cff3000000ffff);
    poke<u32>(kTss + 4, kKernelStack);
    poke<u32>(kTss + 8, 0x10);
    poke<u16>(kTss + 0x66, 0x68);  // no I/O permission map
    for (u32 vector = 0; vector < 256; ++vector) {
      const u32 handler = kHandlers + vector * 8;
      poke<u32>(kHandlers + vector * 8, 0xf400e6 | vector << 8);  // out vector, al; hlt
      poke<u32>(kIdt + vector * 8, 0x00080000 | handler);
      poke<u32>(kIdt + vector * 8 + 4, 0x0000ee00);
    }
  }
  void user_mode() {
    state_.cpl = 3;
    state_.gpr[kEsp] = kUserStack;
    for (SegmentRegister& segment : state_.seg) segment = {0x23, 0, 0xc0f3, 0xffffffff, 0, 0};
    state_.segment(Seg::cs) = {0x1b, 0, 0xc0fb, 0xffffffff, 0, 0};
  }
  // 4 MiB pages, identity: the first is everybody's, the others are the supervisor's.
  void enable_paging() {
    for (u32 i = 0; i < 4; ++i) poke<u32>(kDirectory + i * 4, i << 22 | (i == 0 ? 0x87 : 0x83));
    state_.cr0 |= kCr0Pg | kCr0Wp;
    state_.cr3 = kDirectory;
    state_.cr4 = kCr4Pse;
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
  // The vectors whose handlers have run, in order.
  std::vector<unsigned> vectors() const {
    std::vector<unsigned> list;
    for (const auto& [port, value] : ports_.written) list.push_back(port);
    return list;
  }
  // EIP in the frame of the handler that has halted; with_code: the exception pushes an error code.
  u32 saved_eip(bool with_code) { return peek_at<u32>(state_.reg32(kEsp) + (with_code ? 4 : 0)); }

  VcpuState state_{};
  TrapIo ports_;
  std::unique_ptr<TrapEngine> engine_;
};

}  // namespace ringshift
