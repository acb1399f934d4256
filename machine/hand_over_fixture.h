// HandOver: for tests, programs that switch engines at each of their instruction boundaries.
#pragma once

#include <gtest/gtest.h>

#include <map>

#include "cpu-model/interp/interpreter.h"
#include "machine/engine_set.h"
#include "translator/bt_fixture.h"
#include "translator/verify_compare.h"

namespace ringshift {

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
        using namespace asmjit::x86;  // NOLINT: register names
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

inline const auto kHandOverWays =
    ::testing::Values(BtOptions::Memory::soft, BtOptions::Memory::window, BtOptions::Memory::automatic);
inline std::string hand_over_way(const ::testing::TestParamInfo<BtOptions::Memory>& way) {
  return way.param == BtOptions::Memory::soft     ? "soft"
         : way.param == BtOptions::Memory::window ? "window"
                                                  : "automatic";
}

}  // namespace ringshift
