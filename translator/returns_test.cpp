// Calls and returns that don't pair, and what changes between a call and its return.
#include <thread>

#include "translator/bt_fixture.h"

namespace ringshift::bt {
namespace {

using namespace asmjit::x86;  // NOLINT: register names

class Returns : public BothMemories {
 protected:
  static constexpr u32 kDeepStack = 0x300000;
  Returns() { cpu_.state.set_reg32(kEsp, kDeepStack); }
};
INSTANTIATE_TEST_SUITE_P(Bt, Returns, kEachWay, way_name);

TEST_P(Returns, DeepRecursion) {
  static constexpr u32 kDepth = 12345;
  assemble(kCode, [](Asm& as) {
    const asmjit::Label function = as.newLabel(), out = as.newLabel();
    as.mov(ecx, kDepth);
    as.call(function);
    as.hlt();
    as.bind(function);
    as.dec(ecx);
    as.jz(out);
    as.call(function);
    as.inc(eax);
    as.bind(out);
    as.ret();
  });
  for (const u32 sum : {kDepth - 1, 2 * (kDepth - 1)}) {
    run_from(kCode);
    EXPECT_EQ(reg(kEax), sum);
    EXPECT_EQ(reg(kEsp), kDeepStack);
  }
}

// More returns than calls, on a stack that the guest has made by PUSH.
TEST_P(Returns, WithoutCalls) {
  assemble(kCode, [](Asm& as) {
    as.push(kCode + 0x500);
    for (int i = 0; i < 50; ++i) as.push(kCode + 0x400);
    as.ret();
  });
  assemble(kCode + 0x400, [](Asm& as) {
    as.inc(eax);
    as.ret();
  });
  assemble(kCode + 0x500, [](Asm& as) { as.hlt(); });
  for (const u32 sum : {50u, 100u, 150u}) {
    run_from(kCode);
    EXPECT_EQ(reg(kEax), sum);
    EXPECT_EQ(reg(kEsp), kDeepStack);
  }
}

// To one byte further on than where the call stands, now and then; and by a longjmp past two frames.
TEST_P(Returns, ToElsewhere) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), skips = as.newLabel(), on = as.newLabel();
    const asmjit::Label outer = as.newLabel(), inner = as.newLabel();
    as.mov(ecx, 100);
    as.bind(loop);
    as.call(skips);
    as.inc(eax);  // one byte
    as.mov(edi, esp);
    as.call(outer);
    as.inc(ebx);  // never
    as.bind(on);
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
    as.bind(skips);
    as.test(ecx, 1);
    as.setz(dl);
    as.movzx(edx, dl);
    as.add(ptr(esp), edx);
    as.ret(0);
    as.bind(outer);
    as.call(inner);
    as.inc(ebx);  // never
    as.ret();
    as.bind(inner);
    as.mov(esp, edi);
    as.jmp(on);
  });
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 50u);
  EXPECT_EQ(reg(kEbx), 0u);
  EXPECT_EQ(reg(kEsp), kDeepStack);
}

// The code behind the call is written while the callee runs.
TEST_P(Returns, ToCodeThatWasWritten) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label loop = as.newLabel(), function = as.newLabel(), behind = as.newLabel();
    as.mov(ecx, 20);
    as.bind(loop);
    as.call(function);
    as.bind(behind);
    as.mov(dl, 0);
    as.lea(eax, ptr(eax, edx));
    as.dec(ecx);
    as.jnz(loop);
    as.hlt();
    as.bind(function);
    as.mov(esi, ptr(esp));
    as.mov(byte_ptr(esi, 1), cl);
    as.ret();
  });
  cpu_.state.set_reg32(kEdx, 0);
  run_from(kCode);
  EXPECT_EQ(reg(kEax), 210u);
}

// A page's code that the callee maps elsewhere before it returns.
TEST_P(Returns, ToAPageThatWasRemapped) {
  constexpr u32 kFrom = 0x20000, kInstead = 0x30000;
  enter_paging();
  assemble(kFrom, [](Asm& as) {
    as.call(asmjit::imm(kCode));
    as.mov(eax, 1);
    as.hlt();
  });
  for (u32 at = 0; at < kPageSize; at += 4) poke<u32>(kInstead + at, peek_at<u32>(kFrom + at));
  poke<u8>(kInstead + 6, 2);
  for (const bool by_page : {true, false}) {
    poke<u32>(kTable + (kFrom >> kPageShift) * 4, kFrom | kMapped);
    cpu_.flush_all();
    for (int round = 0; round < 3; ++round) {
      write_code(kCode, {0xc3});
      run_from(kFrom);
      EXPECT_EQ(reg(kEax), 1u);
    }
    assemble(kCode, [&](Asm& as) {
      as.mov(dword_ptr(kTable + (kFrom >> kPageShift) * 4), kInstead | kMapped);
      if (by_page) {
        as.invlpg(ptr(kFrom));
      } else {
        as.mov(edx, cr3);
        as.mov(cr3, edx);
      }
      as.ret();
    });
    run_from(kFrom);
    EXPECT_EQ(reg(kEax), 2u);
  }
}

// Calls that never return must not keep the monitor waiting.
TEST_P(Returns, CallsAloneLetEventsIn) {
  assemble(kCode, [](Asm& as) {
    const asmjit::Label again = as.newLabel();
    as.bind(again);
    as.mov(esp, kDeepStack);
    as.inc(eax);
    as.call(again);
  });
  std::thread other([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    engine_->request_exit();
  });
  EXPECT_EQ(engine_->run(line_), ExitReason::requested);
  other.join();
  EXPECT_GT(reg(kEax), 0u);
}

// Interrupts between calls and returns of two levels, whose handler calls as well.
TEST_P(Returns, InterruptsInBetween) {
  const u32 rounds = links() ? 2000000 : 20000;
  constexpr u32 kHandler = 0x9000;  // a gate has room for these bits of it here
  poke<u64>(kIdt + LineIo::kVector * 8, u64{kHandler} | u64{8} << 16 | u64{0x8e00} << 32);
  assemble(kHandler, [](Asm& as) {
    const asmjit::Label function = as.newLabel();
    as.call(function);
    as.inc(ebx);
    as.iretd();
    as.bind(function);
    as.ret();
  });
  assemble(kCode, [&](Asm& as) {
    const asmjit::Label loop = as.newLabel(), function = as.newLabel(), leaf = as.newLabel();
    as.sti();
    as.mov(ecx, rounds);
    as.bind(loop);
    as.call(function);
    as.inc(eax);
    as.dec(ecx);
    as.jnz(loop);
    as.cli();
    as.hlt();
    as.bind(function);
    as.call(leaf);
    as.inc(edx);
    as.bind(leaf);
    as.ret();
  });
  for (const unsigned counter : {kEax, kEdx, kEbx}) cpu_.state.set_reg32(counter, 0);
  std::thread other([&] {
    for (int i = 0; i < 10; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
      control_.raise_event(kEventInterrupt);
    }
  });
  run_from(kCode);
  other.join();
  EXPECT_EQ(reg(kEax), rounds);
  EXPECT_EQ(reg(kEdx), rounds);
  EXPECT_EQ(static_cast<int>(reg(kEbx)), line_.acknowledged);
  EXPECT_EQ(reg(kEsp), kDeepStack);
}

}  // namespace
}  // namespace ringshift::bt
