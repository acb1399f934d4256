// Reset values, and save, restore and difference of a VcpuState.
#include "cpu-model/vcpu_dump.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <memory>

namespace ringshift {
namespace {

// Every element different, whatever is added later: bytes count up.
VcpuState patterned() {
  VcpuState state;
  auto* bytes = reinterpret_cast<u8*>(&state);
  for (std::size_t i = 0; i < sizeof state; ++i) bytes[i] = static_cast<u8>(i * 7 + i / 256);
  state.cpl = 3;
  return state;
}

TEST(VcpuDump, RoundTripKeepsEveryElement) {
  const VcpuState state = patterned();
  StateWriter out;
  save_vcpu(state, out);
  StateReader in(out.bytes());
  VcpuState copy{};
  ASSERT_TRUE(restore_vcpu(copy, in));
  EXPECT_TRUE(in.at_end());
  EXPECT_EQ(diff_vcpu(state, copy), "");
  EXPECT_EQ(copy.gpr[15], state.gpr[15]);
  EXPECT_EQ(copy.a20_masked, state.a20_masked);
}

TEST(VcpuDump, RefusesShortOrForeignStreams) {
  StateWriter out;
  save_vcpu(patterned(), out);
  VcpuState copy{};
  StateReader cut(std::span(out.bytes()).first(out.bytes().size() - 1));
  EXPECT_FALSE(restore_vcpu(copy, cut));
  auto other_version = out.bytes();
  ++other_version[4];
  StateReader foreign(other_version);
  EXPECT_FALSE(restore_vcpu(copy, foreign));
  StateReader empty({});
  EXPECT_FALSE(restore_vcpu(copy, empty));
}

TEST(VcpuDump, DiffNamesWhatDiffers) {
  VcpuState left{}, right{};
  EXPECT_EQ(diff_vcpu(left, right), "");
  right.gpr[kEcx] = 0x1234;
  right.segment(Seg::ds).limit = 0xffff;
  right.fx.bytes[5] = 1;
  right.halted = 1;
  const std::string diff = diff_vcpu(left, right);
  EXPECT_NE(diff.find("gpr[1]: 0x0 / 0x1234\n"), std::string::npos) << diff;
  EXPECT_NE(diff.find("seg[3]: "), std::string::npos) << diff;
  EXPECT_NE(diff.find("fx+4: 00000000 / 00000100\n"), std::string::npos) << diff;
  EXPECT_NE(diff.find("halted: 0x0 / 0x1\n"), std::string::npos) << diff;
  EXPECT_EQ(std::count(diff.begin(), diff.end(), '\n'), 4);
}

TEST(VcpuReset, AsTheManualHasIt) {
  VcpuState state = patterned();
  reset_vcpu(state, 0x106c2);
  EXPECT_EQ(state.rip, 0xfff0u);
  EXPECT_EQ(state.segment(Seg::cs).selector, 0xf000);
  EXPECT_EQ(state.segment(Seg::cs).base + state.rip, 0xfffffff0u);
  EXPECT_EQ(state.segment(Seg::ss).limit, 0xffffu);
  EXPECT_EQ(state.segment(Seg::ss).attributes, 0x93u);
  EXPECT_EQ(state.rflags, 2u);
  EXPECT_EQ(state.cr0, 0x60000010u);
  EXPECT_EQ(state.gpr[kEdx], 0x106c2u);
  EXPECT_EQ(state.gpr[kEax], 0u);
  EXPECT_EQ(state.dr[6], 0xffff0ff0u);
  EXPECT_EQ(state.dr[7], 0x400u);
  EXPECT_EQ(state.idtr.limit, 0xffffu);
  EXPECT_EQ(state.apic_base, 0xfee00900u);
  EXPECT_EQ(state.pat, 0x0007040600070406u);
  EXPECT_EQ(state.cpl, 0);
  u32 mxcsr;
  std::memcpy(&mxcsr, state.fx.bytes + 24, sizeof mxcsr);
  EXPECT_EQ(mxcsr, 0x1f80u);
}

}  // namespace
}  // namespace ringshift
