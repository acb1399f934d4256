// STI's shadow: no interrupt is delivered before the instruction that follows, whenever it arrives.
#include <atomic>
#include <thread>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

constexpr u32 kWanted = 2000;  // interrupts

class Shadow : public BothMemories {};
INSTANTIATE_TEST_SUITE_P(Bt, Shadow, kEachWay, way_name);

// STI is the last instruction of a page, and of its block. The handler counts, and counts what it should not
// see: the flag that the instruction behind STI clears.
TEST_P(Shadow, OfStiAtABlocksEndAgainstAnotherThread) {
  constexpr u32 kFlag = kData, kPageEnd = kCode + kPageSize, kHandler = kCode + 0x3000;
  poke<u64>(kIdt + LineIo::kVector * 8,
            u64{kHandler & 0xffff} | u64{8} << 16 | u64{0x8e00} << 32 | u64{kHandler >> 16} << 48);
  assemble(kHandler, [](Asm& as) {
    const asmjit::Label fine = as.newLabel();
    as.cmp(dword_ptr(kFlag), 0);
    as.je(fine);
    as.inc(esi);
    as.bind(fine);
    as.inc(edi);
    as.iretd();
  });
  assemble(kPageEnd - 12, [](Asm& as) {
    const asmjit::Label loop = as.newLabel();
    as.bind(loop);
    as.cli();                     // 1 byte
    as.mov(dword_ptr(kFlag), 1);  // 10
    as.sti();                     // 1: the page's last
    as.mov(dword_ptr(kFlag), 0);
    as.cmp(edi, kWanted);
    as.jb(loop);
    as.cli();
    as.hlt();
  });
  cpu_.state.set_reg32(kEsi, 0);
  cpu_.state.set_reg32(kEdi, 0);
  std::atomic<bool> done{false};
  std::thread device([&] {
    for (u32 pause = 0; !done; pause = (pause + 7) % 101) {
      control_.raise_event(kEventInterrupt);
      for (u32 i = 0; i < pause; ++i) asm volatile("pause");
    }
  });
  cpu_.state.rip = kPageEnd - 12;
  const ExitReason reason = engine_->run(line_);
  done = true;
  device.join();
  EXPECT_EQ(reason, ExitReason::halted);
  EXPECT_GE(reg(kEdi), kWanted);
  EXPECT_EQ(reg(kEsi), 0u) << "interrupts in STI's shadow";
}

}  // namespace
}  // namespace ringshift::bt
