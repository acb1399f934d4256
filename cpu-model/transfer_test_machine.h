// TransferTest: a fixture with a small protected-mode world, for tests of deliveries and far transfers.
#pragma once

#include <gtest/gtest.h>

#include "cpu-model/exceptions.h"
#include "cpu-model/far_transfer.h"
#include "cpu-model/segmentation.h"
#include "cpu-model/task_switch.h"

namespace ringshift {

// Types of gates: a present interrupt gate of 32 bits.
inline constexpr u8 kInt32 = 0x8e;

class TransferTest : public ::testing::Test {
 protected:
  static constexpr u32 kGdt = 0x1000, kIdt = 0x2000, kTss = 0x3000, kTss2 = 0x3200, kTss16 = 0x3400,
                       kLdt = 0x3800;
  static constexpr u32 kKernelStack = 0x8000, kInnerStack = 0x9000, kUserStack = 0xa000,
                       kLevel1Stack = 0xb000;
  // Selectors.
  static constexpr u16 kCode0 = 0x08, kData0 = 0x10, kCode3 = 0x1b, kData3 = 0x23, kTssSel = 0x28,
                       kTss2Sel = 0x30, kCode16 = 0x38, kData16 = 0x40, kConforming = 0x48, kGate = 0x50,
                       kCode1 = 0x58, kData1 = 0x60, kTss16Sel = 0x68, kAbsent = 0x70, kTaskGateSel = 0x78,
                       kGate16 = 0x80;

  TransferTest()
      : memory_(std::move(*GuestMemory::create(4 << 20))),
        map_(memory_),
        cpuid_(std::move(*CpuidTable::create("n270"))),
        cpu_(map_, cpuid_, control_, trace_) {
    build_gdt();
    cpu_.state.cr0 |= kCr0Pe;
    cpu_.state.gdtr = {kGdt, 0xff, 0};
    cpu_.state.idtr = {kIdt, 0x7ff, 0};
    cpu_.state.ldtr = {0, 0, kSegUnusable, 0, 0, 0};
    put<u32>(kTss + 4, kInnerStack);
    put<u16>(kTss + 8, kData0);
    put<u32>(kTss + 12, kLevel1Stack);
    put<u16>(kTss + 16, kData1 | 1);
    put<u16>(kTss + 0x66, 0x68 + 32);
    EXPECT_TRUE(load_tr(cpu_, kTssSel));
    at_level0();
  }

  template <class T>
  void put(u32 at, T value) {
    std::memcpy(memory_.base() + at, &value, sizeof value);
  }
  template <class T>
  T get(u32 at) const {
    T value;
    std::memcpy(&value, memory_.base() + at, sizeof value);
    return value;
  }
  void put_descriptor(u32 table, u16 selector, u32 base, u32 limit, u8 access, u8 flags) {
    const u32 high = (base & 0xff000000) | (u32{flags} << 20) | (limit & 0xf0000) | (u32{access} << 8) |
                     (base >> 16 & 0xff);
    put<u32>(table + (selector & 0xfff8), (base << 16) | (limit & 0xffff));
    put<u32>(table + (selector & 0xfff8) + 4, high);
  }
  void put_gate(u32 at, u16 selector, u32 offset, u8 access, u8 parameters = 0) {
    put<u32>(at, (u32{selector} << 16) | (offset & 0xffff));
    put<u32>(at + 4, (offset & 0xffff0000) | (u32{access} << 8) | parameters);
  }
  void put_idt(u8 vector, u16 selector, u32 offset, u8 access) {
    put_gate(kIdt + vector * 8u, selector, offset, access);
  }

  void build_gdt() {
    constexpr u8 kFlat = 0xc;
    put_descriptor(kGdt, kCode0, 0, 0xfffff, 0x9b, kFlat);
    put_descriptor(kGdt, kData0, 0, 0xfffff, 0x93, kFlat);
    put_descriptor(kGdt, kCode3, 0, 0xfffff, 0xfb, kFlat);
    put_descriptor(kGdt, kData3, 0, 0xfffff, 0xf3, kFlat);
    put_descriptor(kGdt, kTssSel, kTss, 0x1ff, 0x89, 0);
    put_descriptor(kGdt, kTss2Sel, kTss2, 0x67, 0x89, 0);
    put_descriptor(kGdt, kCode16, 0, 0xffff, 0x9b, 0);
    put_descriptor(kGdt, kData16, 0, 0xffff, 0x93, 0);
    put_descriptor(kGdt, kConforming, 0, 0xfffff, 0x9f, kFlat);
    put_descriptor(kGdt, kCode1, 0, 0xfffff, 0xbb, kFlat);
    put_descriptor(kGdt, kData1, 0, 0xfffff, 0xb3, kFlat);
    put_descriptor(kGdt, kTss16Sel, kTss16, 0x2b, 0x81, 0);
    put_descriptor(kGdt, kAbsent, 0, 0xfffff, 0x1b, kFlat);
    put_gate(kGdt + kTaskGateSel, kTss2Sel, 0, 0xe5);
  }

  Descriptor descriptor(u16 selector) const {
    return {get<u32>(kGdt + (selector & 0xfff8)), get<u32>(kGdt + (selector & 0xfff8) + 4)};
  }
  // Puts CPU into flat code of a level; EIP 0x12345, a stack of its own.
  void at_level(u8 level, u16 code, u16 data, u32 esp) {
    VcpuState& state = cpu_.state;
    state.rflags = kFlagFixed;
    state.segment(Seg::cs) = segment_from(code, descriptor(code));
    for (Seg s : {Seg::ss, Seg::ds, Seg::es, Seg::fs, Seg::gs})
      state.segment(s) = segment_from(data, descriptor(data));
    state.cpl = level;
    state.rip = 0x12345;
    state.set_reg32(kEsp, esp);
  }
  void at_level0() { at_level(0, kCode0, kData0, kKernelStack); }
  void at_level3() { at_level(3, kCode3, kData3, kUserStack); }
  void at_v86(unsigned iopl) {
    at_level3();
    cpu_.state.rflags = kFlagFixed | kFlagVm | kFlagIf | (iopl << 12);
    u16 selector = 0x100;
    for (Seg s : {Seg::es, Seg::cs, Seg::ss, Seg::ds, Seg::fs, Seg::gs})
      load_real_segment(cpu_, s, selector += 0x10);
    cpu_.state.rip = 0x45;
    cpu_.state.set_reg32(kEsp, 0x800);
  }

  u32 esp() const { return cpu_.state.reg32(kEsp); }
  u16 selector(Seg s) const { return cpu_.state.segment(s).selector; }
  // The 32-bit word n slots above ESP.
  u32 stacked(unsigned n) const { return get<u32>(esp() + 4 * n); }
  void expect_at(u16 cs, u32 eip, u8 cpl) const {
    EXPECT_EQ(selector(Seg::cs), cs);
    EXPECT_EQ(cpu_.state.eip(), eip);
    EXPECT_EQ(cpu_.state.cpl, cpl);
  }
  // The operation raises exactly this fault, and leaves registers alone.
  template <class Operation>
  void expect_fault(const Fault& fault, Operation operation) {
    const VcpuState before = cpu_.state;
    const Outcome<> done = operation();
    ASSERT_FALSE(done);
    EXPECT_EQ(static_cast<int>(done.error().vector), static_cast<int>(fault.vector));
    EXPECT_EQ(done.error().error_code, fault.error_code);
    EXPECT_EQ(std::memcmp(&before, &cpu_.state, sizeof before), 0);
  }

  GuestMemory memory_;
  PhysicalMap map_;
  CpuidTable cpuid_;
  RunControl control_;
  Tracer trace_;
  Cpu cpu_;
};

}  // namespace ringshift
