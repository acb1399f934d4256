// Tests of double and triple faults, and of the report in words.
#include "cpu-model/double_fault.h"

#include "cpu-model/transfer_test_machine.h"
#include "cpu-model/triple_fault.h"

namespace ringshift {
namespace {

using DoubleFault = TransferTest;

TEST(CombineFaults, Table6_5) {
  const Fault benign = Fault::ud(), contributory = Fault::np(8), page = Fault::pf(0, 0);
  const Fault twice{Vector::double_fault, true, 0, 0};
  EXPECT_EQ(combine_faults(benign, contributory), contributory);
  EXPECT_EQ(combine_faults(benign, page), page);
  EXPECT_EQ(combine_faults(contributory, benign), benign);
  EXPECT_EQ(combine_faults(contributory, contributory), twice);
  EXPECT_EQ(combine_faults(contributory, page), page);
  EXPECT_EQ(combine_faults(page, contributory), twice);
  EXPECT_EQ(combine_faults(page, page), twice);
  EXPECT_EQ(combine_faults(page, benign), benign);
  EXPECT_EQ(combine_faults(twice, contributory), std::nullopt);
  EXPECT_EQ(combine_faults(twice, page), std::nullopt);
}

TEST_F(DoubleFault, ContributoryInContributory) {
  put_idt(8, kCode0, 0x5000, kInt32);
  deliver_fault(cpu_, Fault::gp(0x40));
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(stacked(0), 0u);
  EXPECT_EQ(stacked(1), 0x12345u);
  EXPECT_EQ(stacked(3) & kFlagRf, 0u);
  EXPECT_EQ(cpu_.delivered[8], 1u);
  EXPECT_EQ(cpu_.delivered[13], 0u);
  EXPECT_TRUE(cpu_.fault_chain.empty());
}

TEST_F(DoubleFault, BenignThenContributoryIsSerial) {
  put_idt(13, kCode0, 0x5000, kInt32);
  deliver_fault(cpu_, Fault::ud());
  expect_at(kCode0, 0x5000, 0);
  EXPECT_EQ(stacked(0), 6u * 8 + 3);
}

TEST_F(DoubleFault, ThroughTaskGate) {
  put_idt(8, kTss2Sel, 0, 0x85);
  put<u32>(kTss2 + 0x20, 0x7000);
  put<u32>(kTss2 + 0x24, kFlagFixed);
  put<u32>(kTss2 + 0x38, 0xc000);
  put<u16>(kTss2 + 0x48, kData0);
  put<u16>(kTss2 + 0x4c, kCode0);
  put<u16>(kTss2 + 0x50, kData0);
  put<u16>(kTss2 + 0x54, kData0);
  cpu_.state.set_reg32(kEsp, 0xfffff000);
  deliver_fault(cpu_, Fault::gp(0));
  expect_at(kCode0, 0x7000, 0);
  EXPECT_EQ(cpu_.state.tr.selector, kTss2Sel);
  EXPECT_EQ(get<u32>(0xc000 - 4), 0u);
  EXPECT_EQ(esp(), 0xc000u - 4);
  EXPECT_EQ(get<u32>(kTss + 0x20), 0x12345u);
  EXPECT_EQ(get<u32>(kTss + 0x38), 0xfffff000u);
  EXPECT_EQ(cpu_.state.eflags(), kFlagFixed | kFlagNt);
}

bool mentions(const std::string& text, std::string_view part) { return text.find(part) != std::string::npos; }

TEST_F(DoubleFault, TripleFaultShutsDownAndKeepsTheChain) {
  cpu_.state.idtr.limit = 0;
  const VcpuState before = cpu_.state;
  deliver_fault(cpu_, Fault::ud());
  EXPECT_TRUE(cpu_.state.shutdown);
  EXPECT_EQ(cpu_.state.eip(), before.eip());
  EXPECT_EQ(esp(), before.reg32(kEsp));
  ASSERT_EQ(cpu_.fault_chain.size(), 5u);  // #UD, #GP, #GP, #DF, #GP
  EXPECT_EQ(cpu_.fault_chain[3].fault.vector, Vector::double_fault);
  const std::string report = describe_triple_fault(cpu_);
  EXPECT_TRUE(mentions(report, "the IDT limit is 0x0: no handler for #UD (vector 6)")) << report;
  EXPECT_TRUE(mentions(report, "EIP=00012345")) << report;
}

TEST_F(DoubleFault, ReportNamesAnUnmappedStack) {
  // One 4 MiB page directory entry: what lies above 4 MiB is not mapped.
  put<u32>(0x20000, 0x83);
  cpu_.state.cr3 = 0x20000;
  cpu_.state.cr4 |= kCr4Pse;
  cpu_.state.cr0 |= kCr0Pg;
  cpu_.flush_all();
  put_idt(14, kCode0, 0x5000, kInt32);
  put_idt(8, kCode0, 0x5000, kInt32);
  cpu_.state.set_reg32(kEsp, 0xc0001000);
  deliver_fault(cpu_, Fault::pf(0xc0000ffc, kPfWrite));
  EXPECT_TRUE(cpu_.state.shutdown);
  EXPECT_EQ(cpu_.state.cr2, 0xc0000ffcu);
  const std::string report = describe_triple_fault(cpu_);
  EXPECT_TRUE(mentions(report, "stack pointer 0xc0001000 is not mapped")) << report;
  EXPECT_TRUE(mentions(report, "page directory entry at gpa 0x00020c00 is 0x00000000 (not present)"))
      << report;
}

TEST_F(DoubleFault, ReportSurvivesAnyState) {
  cpu_.state.cr0 |= kCr0Pg;
  cpu_.state.cr3 = 0xfffff000;
  cpu_.state.cr4 |= kCr4Pae;
  cpu_.state.pdpte[3] = 0xffffff001;
  cpu_.state.rip = 0xffffffff;
  cpu_.state.idtr = {0xfffffff0, 0xffff, 0};
  cpu_.flush_all();
  deliver_fault(cpu_, Fault::ss(0xffff));
  EXPECT_TRUE(cpu_.state.shutdown);
  EXPECT_FALSE(describe_triple_fault(cpu_).empty());
  cpu_.fault_chain.clear();
  EXPECT_FALSE(describe_triple_fault(cpu_).empty());
}

TEST_F(DoubleFault, AlignmentFaultsCannotLoopForEver) {
  // #AC whose delivery at level 3 would be misaligned: pushes of a delivery raise no #AC.
  put_idt(17, kCode3, 0x5000, 0xee);
  at_level3();
  cpu_.state.cr0 |= kCr0Am;
  cpu_.state.rflags |= kFlagAc;
  cpu_.state.set_reg32(kEsp, kUserStack + 1);
  deliver_fault(cpu_, Fault::ac());
  expect_at(kCode3, 0x5000, 3);
}

}  // namespace
}  // namespace ringshift
