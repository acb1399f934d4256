// Samples of what the guest is busy with, taken where it has no clock of its own.
#include "translator/sampling_timer.h"

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

TEST(SamplingTimer, ComesWhileTheThreadComputes) {
  RunControl control;
  SamplingTimer timer(control);
  for (int again = 0; again < 3; ++again) {
    timer.start();
    while ((control.events.load() & kEventSample) == 0) {
    }
    timer.stop();
    EXPECT_EQ(control.events.load(), 0u);
  }
}

// A program that computes at CPL 3 and never sees an event begins with lookups and gets a window.
TEST_F(BtFixture, AProgramWithoutEventsGetsAWindow) {
  static constexpr u32 kUserCode = kCode + 0x1000, kKernelEntry = kCode + 0x100;
  poke<u64>(kGdt + 24, 0x00cffb000000ffff);
  poke<u64>(kGdt + 32, 0x00cff3000000ffff);
  cpu_.state.gdtr.limit = 0x27;
  cpu_.state.sysenter_cs = 8;
  cpu_.state.sysenter_esp = kStackTop;
  cpu_.state.sysenter_eip = kKernelEntry;
  enter_paging();
  use(BtOptions::Memory::automatic);
  assemble(kCode, [](Asm& as) {
    as.mov(edx, kUserCode);
    as.mov(ecx, kStackTop - 0x1000);
    as.sysexit();
  });
  assemble(kKernelEntry, [](Asm& as) { as.hlt(); });
  assemble(kUserCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.mov(ecx, 200'000'000);  // dozens of samples
    as.bind(loop);
    as.add(dword_ptr_abs(kData), 1);
    as.dec(ecx);
    as.jnz(loop);
    as.sysenter();
  });
  run_from(kCode);
  EXPECT_EQ(peek_at<u32>(kData), 200'000'000u);
  EXPECT_GT(count("windows: fills"), 0u);
}

}  // namespace
}  // namespace ringshift::bt
