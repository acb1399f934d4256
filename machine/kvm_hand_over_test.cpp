// Hand-over between KVM and engines that keep translations: what either has written the other must see. On
// any KVM that runs flat protected mode, a software KVM too.
#include <gtest/gtest.h>

#include "cpu-model/interp/interpreter.h"
#include "hw-accel-kvm/kvm_engine.h"
#include "machine/engine_set.h"
#include "translator/bt_fixture.h"

namespace ringshift {
namespace {

using namespace asmjit::x86;

enum class Keeper { interp, bt_soft, bt_window };

class KvmHandOver : public bt::BtFixture, public ::testing::WithParamInterface<Keeper> {
 protected:
  static constexpr u32 kFunction = 0x20000;  // mov eax, imm32; hlt
  static constexpr u32 kImmediate = kFunction + 1;
  static constexpr u32 kWriter = 0x30000;

  void SetUp() override {
    cpu_.state.segment(Seg::cs).selector = 8;
    auto kvm = KvmEngine::create(cpu_, {.tsc_khz = 2'000'000});
    if (!kvm) GTEST_SKIP() << kvm.error().message;
    std::vector<std::unique_ptr<ExecutionEngine>> engines;
    engines.push_back(make_keeper());
    keeper_ = engines.front()->capabilities().name;
    engines.push_back(*std::move(kvm));
    set_.emplace(cpu_, std::move(engines));
    set_function(kFunction, 1);
  }
  std::unique_ptr<ExecutionEngine> make_keeper() {
    if (GetParam() == Keeper::interp) return std::make_unique<Interpreter>(cpu_);
    BtOptions options;
    options.memory = GetParam() == Keeper::bt_soft ? BtOptions::Memory::soft : BtOptions::Memory::window;
    options.cache_bytes = u64{2} << 20;
    return BtEngine::create(cpu_, options).value();
  }
  void set_function(u32 at, u32 value) {
    assemble(at, [&](Asm& as) {
      as.mov(eax, value);
      as.hlt();
    });
  }
  void run_on(std::string_view engine, u32 eip) {
    ASSERT_TRUE(set_->switch_to(engine));
    VcpuState state = cpu_.state;
    state.halted = 0;
    state.rip = eip;
    state.set_reg32(kEsp, kStackTop);
    set_->current().restore(state);
    ASSERT_EQ(set_->run(line_), ExitReason::halted) << set_->current().failure();
  }
  u32 value_on(std::string_view engine, u32 function = kFunction) {
    run_on(engine, function);
    return reg(kEax);
  }
  void write_on(std::string_view engine, u32 gpa, u32 value) {
    assemble(kWriter, [&](Asm& as) {
      as.mov(dword_ptr(gpa), value);
      as.hlt();
    });
    run_on(engine, kWriter);
  }

  std::optional<EngineSet> set_;
  std::string_view keeper_;
};

TEST_P(KvmHandOver, CodeThatKvmWroteIsTranslatedAnew) {
  for (u32 value = 1; value < 20; ++value) {
    EXPECT_EQ(value_on(keeper_), value);
    EXPECT_EQ(value_on(keeper_), value);
    write_on("kvm", kImmediate, value + 1);
  }
}

TEST_P(KvmHandOver, CodeThatTheOtherWroteIsKvmsToo) {
  for (u32 value = 1; value < 20; ++value) {
    EXPECT_EQ(value_on("kvm"), value);
    write_on(keeper_, kImmediate, value + 1);
    EXPECT_EQ(value_on("kvm"), value + 1);
    EXPECT_EQ(value_on(keeper_), value + 1);
  }
}

// KVM ran and wrote before anything was translated: its log is turned on by the first translation.
TEST_P(KvmHandOver, KvmRanFirst) {
  write_on("kvm", kImmediate, 7);
  EXPECT_EQ(value_on("kvm"), 7u);
  EXPECT_EQ(value_on(keeper_), 7u);
  write_on("kvm", kImmediate, 8);
  EXPECT_EQ(value_on(keeper_), 8u);
}

// One page of many, and the first and the last: the log's bits are the right pages'.
TEST_P(KvmHandOver, EachPageOfMany) {
  constexpr u32 kFirst = 0x100000, kPages = 200;
  for (u32 page = 0; page < kPages; ++page) {
    set_function(kFirst + page * kPageSize, page);
    EXPECT_EQ(value_on(keeper_, kFirst + page * kPageSize), page);
  }
  for (const u32 page : {0u, 63u, 64u, 127u, kPages - 1}) {
    write_on("kvm", kFirst + page * kPageSize + 1, 1000 + page);
    EXPECT_EQ(value_on(keeper_, kFirst + page * kPageSize), 1000 + page);
  }
  for (u32 page = 1; page < 60; ++page) EXPECT_EQ(value_on(keeper_, kFirst + page * kPageSize), page);
}

// A write of one instruction on two pages, and a REP over three.
TEST_P(KvmHandOver, WritesThatReachSeveralPages) {
  const u32 straddling = kFunction + 0x1000 - 3;  // B8, two bytes; two bytes, F4
  set_function(straddling, 0x11111111);
  EXPECT_EQ(value_on(keeper_, straddling), 0x11111111u);
  write_on("kvm", straddling + 1, 0x22222222);
  EXPECT_EQ(value_on(keeper_, straddling), 0x22222222u);
  const u32 last = kFunction + 0x3000;
  set_function(last, 5);
  EXPECT_EQ(value_on(keeper_, last), 5u);
  assemble(kWriter, [&](Asm& as) {
    as.mov(edi, kFunction + 0x1ff1);
    as.mov(ecx, (last + 5 - (kFunction + 0x1ff1)) / 4);
    as.mov(eax, 0x44444444);
    as.cld();
    as.rep().stosd();
    as.hlt();
  });
  run_on("kvm", kWriter);
  EXPECT_EQ(peek_at<u32>(last + 1), 0x44444444u);
  poke<u8>(last, 0xb8);
  EXPECT_EQ(value_on(keeper_, last), 0x44444444u);
}

// With A20 closed KVM's slots show even MiBs at odd addresses, and the log speaks of those.
TEST_P(KvmHandOver, WritesThroughAClosedA20Gate) {
  constexpr u32 kMiB = 0x100000;
  EXPECT_EQ(value_on(keeper_), 1u);
  cpu_.state.a20_masked = 1;
  cpu_.flush_all();
  write_on("kvm", kMiB + kImmediate, 2);
  EXPECT_EQ(peek_at<u32>(kImmediate), 2u);
  EXPECT_EQ(value_on(keeper_), 2u);
  cpu_.state.a20_masked = 0;
  cpu_.flush_all();
  write_on("kvm", kImmediate, 3);
  EXPECT_EQ(value_on(keeper_), 3u);
}

INSTANTIATE_TEST_SUITE_P(Keepers, KvmHandOver,
                         ::testing::Values(Keeper::interp, Keeper::bt_soft, Keeper::bt_window),
                         [](const auto& keeper) {
                           return std::string(keeper.param == Keeper::interp    ? "interp"
                                              : keeper.param == Keeper::bt_soft ? "bt_soft"
                                                                                : "bt_window");
                         });

}  // namespace
}  // namespace ringshift
