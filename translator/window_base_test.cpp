// A host's kernel that sets GS base to 0 behind the engine's back: each loss costs a fault, and nothing is
// translated otherwise for it.
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <thread>
#include <vector>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

// Loses GS base at each OUT, as a switch of threads may.
class LosingIo final : public LineIo {
 public:
  using LineIo::LineIo;
  void port_out(u16, unsigned, u32) override { asm volatile("wrgsbase %0" : : "r"(u64{0})); }
};

class LostBase : public BtFixture {
 protected:
  static constexpr u32 kRounds = 100, kWords = 64, kTo = kData + 0x4000;
  void run_losing() {
    use(BtOptions::Memory::window);
    LosingIo io(control_);
    ASSERT_EQ(engine_->run(io), ExitReason::halted);
    EXPECT_EQ(count("exits: host fault"), 0u);
    EXPECT_EQ(count("bt: retranslations of failing instructions"), 0u);
  }
};

TEST_F(LostBase, IsPutBackAtTheNextAccess) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, kRounds);
    as.bind(loop);
    as.out(0x80, al);
    as.mov(dword_ptr(kData, ecx, 2), ecx);
    as.out(0x80, al);
    as.add(esi, dword_ptr(kData, ecx, 2));
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  cpu_.state.set_reg32(kEsi, 0);
  run_losing();
  EXPECT_GE(count("host: GS bases lost by its kernel"), kRounds);
  EXPECT_EQ(reg(kEsi), kRounds * (kRounds + 1) / 2);
  EXPECT_LE(count("exits: interpreted instruction"), 1u);  // HLT
}

// A REP works on host addresses, which it makes of the base that the monitor knows.
TEST_F(LostBase, DoesNotTouchARep) {
  for (u32 i = 0; i < kWords; ++i) poke<u32>(kData + i * 4, i * 3 + 1);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(edx, kRounds);
    as.mov(edi, kTo);
    as.bind(loop);
    as.mov(esi, kData);
    as.mov(ecx, kWords);
    as.out(0x80, al);
    as.rep().movsd();
    as.dec(edx);
    as.jnz(loop);
    as.hlt();
  });
  run_losing();
  EXPECT_EQ(reg(kEdi), kTo + kRounds * kWords * 4);
  EXPECT_EQ(reg(kEsi), kData + kWords * 4);
  for (u32 i = 0; i < kRounds * kWords; ++i) ASSERT_EQ(peek_at<u32>(kTo + i * 4), i % kWords * 3 + 1) << i;
}

// Keeps this thread, and those that it makes, on the CPU that it is on.
class OnOneCpu {
 public:
  OnOneCpu() {
    ::sched_getaffinity(0, sizeof before_, &before_);
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(::sched_getcpu(), &one);
    ::sched_setaffinity(0, sizeof one, &one);
  }
  ~OnOneCpu() { ::sched_setaffinity(0, sizeof before_, &before_); }

 private:
  cpu_set_t before_;
};

// What another thread, or another process, has as its window at the same address is not met.
TEST_F(LostBase, IsNeverAnothersWindow) {
  const OnOneCpu together;
  use(BtOptions::Memory::window);
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 100'000'000);
    as.bind(loop);
    as.add(dword_ptr_abs(kData), 1);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
  });
  const std::vector<u8> others(kData + kPageSize);
  std::atomic<bool> done{false};
  std::thread rival([&] {
    while (!done) asm volatile("wrgsbase %0" : : "r"(others.data()));
  });
  run();
  done = true;
  rival.join();
  EXPECT_EQ(peek_at<u32>(kData), 100'000'000u);
  EXPECT_EQ(std::count(others.begin(), others.end(), 0), static_cast<i64>(others.size()));
}

}  // namespace
}  // namespace ringshift::bt
