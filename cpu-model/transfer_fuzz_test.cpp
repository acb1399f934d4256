// Deliveries and transfers among random descriptors and stacks: the monitor survives, state stays in bounds.
#include <random>

#include "cpu-model/transfer_test_machine.h"
#include "cpu-model/triple_fault.h"

namespace ringshift {
namespace {

class TransferFuzz : public TransferTest {
 protected:
  u32 random() { return static_cast<u32>(generator_()); }
  u32 below(u32 bound) { return random() % bound; }

  // Keeps most entries valid, so that runs get deep: random bits in random places.
  void scatter(u32 at, u32 size, unsigned changes) {
    for (unsigned i = 0; i < changes; ++i) {
      const u32 byte = at + below(size);
      put<u8>(byte, static_cast<u8>(below(3) == 0 ? random() : get<u8>(byte) ^ (1u << below(8))));
    }
  }
  u16 any_selector() { return static_cast<u16>(below(8) == 0 ? random() : below(0x90)); }

  void randomize() {
    build_gdt();
    put_gate(kGdt + kGate, any_selector(), random(), 0xec, static_cast<u8>(below(32)));
    for (unsigned v = 0; v < 32; ++v) {
      constexpr u8 kTypes[] = {0x8e, 0x8f, 0xee, 0xe6, 0x87, 0x85};
      put_idt(static_cast<u8>(v),
              below(3) == 0   ? kTss2Sel
              : below(2) == 0 ? kCode0
                              : any_selector(),
              below(4) == 0 ? random() : 0x5000, kTypes[below(6)]);
    }
    for (u32 at = kTss2; at < kTss2 + 0x68; at += 4) put<u32>(at, below(4) == 0 ? random() : any_selector());
    put<u16>(kTss2 + 0x4c, kCode0);
    put<u16>(kTss2 + 0x50, kData0);
    scatter(kGdt, 0x90, below(4));
    scatter(kIdt, 0x100, below(4));
    scatter(kTss, 0x68, below(4));
    put<u16>(kTss, any_selector());
    load_state();
  }

  void load_state() {
    VcpuState& state = cpu_.state;
    state.shutdown = 0;
    state.cr0 = kCr0Pe | (below(2) == 0 ? kCr0Am : 0);
    state.cr4 = below(2) == 0 ? kCr4Vme : 0;
    build_tr();
    switch (below(4)) {
      case 0:
        at_v86(below(4));
        break;
      case 1:
        at_level3();
        break;
      default:
        at_level0();
    }
    if (below(8) == 0) state.cr0 &= ~u64{kCr0Pe};
    if (below(4) == 0) state.rflags |= kFlagNt | kFlagAc;
    if (below(4) == 0) state.set_reg32(kEsp, random());
    if (!cpu_.protected_mode()) {
      state.rflags &= ~u64{kFlagVm};
      state.cpl = 0;
    }
    const Gva top = static_cast<Gva>(state.segment(Seg::ss).base) + esp();
    if (top > 0x3ff000) return;
    for (unsigned i = 0; i < 12; ++i) put<u32>(top + 4 * i, below(3) == 0 ? random() : any_selector());
  }
  void build_tr() {
    cpu_.state.tr = {kTssSel, 0, 0x8b, 0x1ff, 0, kTss};
    if (below(8) == 0) cpu_.state.tr.limit = below(0x70);
  }

  void act() {
    const u16 selector = any_selector();
    const unsigned size = below(2) == 0 ? 2 : 4;
    switch (below(8)) {
      case 0:
        return deliver_fault(
            cpu_, Fault{static_cast<Vector>(below(20)), below(2) == 0, static_cast<u16>(random()), random()});
      case 1:
        return deliver_interrupt(cpu_, static_cast<u8>(random()));
      case 2:
        return after(software_interrupt(cpu_, static_cast<u8>(below(32)), SoftwareInterrupt::int_n));
      case 3:
        return after(far_jump(cpu_, selector, random(), size));
      case 4:
        return after(far_call(cpu_, selector, below(2) == 0 ? 0x4000 : random(), size));
      case 5:
        return after(far_return(cpu_, size, static_cast<u16>(random())));
      default:
        return after(interrupt_return(cpu_, size));
    }
  }
  void after(const Outcome<>& outcome) {
    if (!outcome) {
      ++faults_;
      deliver_fault(cpu_, outcome.error());
    }
  }

  std::mt19937 generator_{12345};
  u64 faults_ = 0;
};

TEST_F(TransferFuzz, SurvivesAndKeepsInvariants) {
  unsigned shutdowns = 0;
  for (unsigned round = 0; round < 30000; ++round) {
    randomize();
    for (unsigned i = 0; i < 4 && !cpu_.state.shutdown; ++i) act();
    const VcpuState& state = cpu_.state;
    ASSERT_LE(state.cpl, 3);
    ASSERT_EQ(state.rip >> 32, 0u);
    ASSERT_NE(state.rflags & kFlagFixed, 0u);
    if (cpu_.v86()) {
      ASSERT_EQ(state.cpl, 3);
    }
    if (cpu_.protected_mode() && !cpu_.v86()) {
      ASSERT_EQ(selector(Seg::cs) & 3, state.cpl);
    }
    if (!state.shutdown) {
      ASSERT_TRUE(cpu_.fault_chain.empty());
    }
    if (state.shutdown && ++shutdowns % 64 == 0) {
      ASSERT_FALSE(describe_triple_fault(cpu_).empty());
    }
    cpu_.fault_chain.clear();
  }
  EXPECT_GT(faults_, 100u);
  EXPECT_GT(shutdowns, 100u);
}

}  // namespace
}  // namespace ringshift
