// MSRs: which exist, what they refuse; RDTSC and the CPUID bits that follow state.
#include "cpu-model/msr.h"

#include <unistd.h>

#include <cstdlib>

#include "base/unique_fd.h"
#include "cpu-model/cpu_fixture.h"

namespace ringshift {
namespace {

class Msr : public CpuFixture {
 protected:
  Msr() { enter_flat_mode(); }
  void expect_kept(u32 index, u64 value) {
    EXPECT_DONE(write_msr(cpu_, index, value));
    EXPECT_EQ(read_msr(cpu_, index).value(), value) << std::hex << index;
  }
};

TEST_F(Msr, NeedCpl0) {
  set_cpl(3);
  EXPECT_FAULT(Fault::gp(), read_msr(cpu_, 0x10));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x10, 0));
}

TEST_F(Msr, UnknownIsGpAndRememberedOnce) {
  for (int i = 0; i < 3; ++i) EXPECT_FAULT(Fault::gp(), read_msr(cpu_, 0x179));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0xc0000081, 0));
  EXPECT_EQ(cpu_.unknown_msrs, (std::vector<u32>{0x179, 0xc0000081}));
  for (u32 i = 0x4000; i < 0x5000; ++i) EXPECT_FAULT(Fault::gp(), read_msr(cpu_, i));
  EXPECT_LE(cpu_.unknown_msrs.size(), 64u) << "a guest must not make the list grow without end";
}

TEST_F(Msr, UnknownIsToldOfOnce) {
  std::string path = ::testing::TempDir() + "msr-trace-XXXXXX";
  const UniqueFd file(::mkstemp(path.data()));
  ASSERT_TRUE(tracer_.enable("int"));
  ASSERT_TRUE(tracer_.open(path.c_str()));
  for (int i = 0; i < 3; ++i) EXPECT_FAULT(Fault::gp(), read_msr(cpu_, 0x179));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x17a, 0));
  tracer_ = Tracer();
  char text[256] = {};
  EXPECT_GT(::read(file.get(), text, sizeof text - 1), 0);
  EXPECT_STREQ(
      text,
      "int: read of unknown MSR 0x179 at eip 0000fff0\nint: write of unknown MSR 0x17a at eip 0000fff0\n");
  ::unlink(path.c_str());
}

TEST_F(Msr, PlainOnesKeepTheirValue) {
  expect_kept(0x174, 0x60);
  expect_kept(0x175, 0xc1234567);
  expect_kept(0x176, 0xc7654321);
  expect_kept(0x277, 0x0007040600070405);
  expect_kept(0x2ff, 0xc06);
  expect_kept(0x200, 0xc0000006);
  expect_kept(0x20f, 0xff0000800);
  expect_kept(0x26f, 0x0606060606060606);
  expect_kept(0xc0000103, 5);
  EXPECT_EQ(cpu_.state.mtrr_mask[7], 0xff0000800u);
  EXPECT_EQ(cpu_.state.mtrr_fixed[10], 0x0606060606060606u);
}

TEST_F(Msr, ReservedValuesAreRefused) {
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x277, 0x0007040600070402));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x277, u64{8} << 56));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x2ff, 2));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x2ff, 0x1006));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x200, 7));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x200, 0x106));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x201, u64{1} << 36));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x250, 0x03));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0xfe, 0));
  EXPECT_FAULT(Fault::gp(), read_msr(cpu_, 0x210));
}

TEST_F(Msr, EferHasOnlyNxe) {
  FlushCounter flush;
  cpu_.observer = &flush;
  EXPECT_DONE(write_msr(cpu_, 0xc0000080, kEferNxe));
  EXPECT_EQ(flush.all, 1);
  EXPECT_DONE(write_msr(cpu_, 0xc0000080, kEferNxe));
  EXPECT_EQ(flush.all, 1);
  EXPECT_EQ(read_msr(cpu_, 0xc0000080).value(), kEferNxe);
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0xc0000080, 1));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0xc0000080, 1u << 8));
  cpu_.observer = nullptr;
  const CpuidTable p3 = CpuidTable::create("pentium3").value();
  Cpu cpu(phys_, p3, control_, tracer_);
  EXPECT_FAULT(Fault::gp(), read_msr(cpu, 0xc0000080));
  EXPECT_FAULT(Fault::gp(), read_msr(cpu, 0xc0000103));
}

TEST_F(Msr, ApicBaseReachesTheMachineAndCpuid) {
  EXPECT_NE(execute_cpuid(cpu_, 1, 0).edx & 1u << 9, 0u);
  EXPECT_DONE(write_msr(cpu_, 0x1b, 0xfee00000));
  EXPECT_EQ(io_.apic_base, 0xfee00100u) << "the boot processor's bit is fixed";
  EXPECT_EQ(execute_cpuid(cpu_, 1, 0).edx & 1u << 9, 0u);
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x1b, 0xfee00c00));
  EXPECT_FAULT(Fault::gp(), write_msr(cpu_, 0x1b, u64{1} << 36 | 0x800));
}

TEST_F(Msr, TscCountsFromWhatWasWritten) {
  io_.tsc = 1000;
  EXPECT_DONE(write_msr(cpu_, 0x10, 5));
  io_.tsc = 1100;
  EXPECT_EQ(read_msr(cpu_, 0x10).value(), 105u);
  EXPECT_EQ(read_tsc(cpu_).value(), 105u);
  cpu_.state.cr4 = kCr4Tsd;
  EXPECT_DONE(read_tsc(cpu_));
  set_cpl(3);
  EXPECT_FAULT(Fault::gp(), read_tsc(cpu_));
}

TEST_F(Msr, MicrocodeIsNewEnoughForLinuxToKeepPse) {
  EXPECT_DONE(write_msr(cpu_, 0x8b, 0));
  EXPECT_GE(read_msr(cpu_, 0x8b).value() >> 32, 0x20eu);
}

TEST_F(Msr, FastStringsAreOnAndNothingElseChanges) {
  const u64 before = read_msr(cpu_, 0x1a0).value();
  EXPECT_EQ(before & 1, 1u);
  EXPECT_DONE(write_msr(cpu_, 0x1a0, ~u64{0}));
  EXPECT_EQ(read_msr(cpu_, 0x1a0).value(), before);
}

}  // namespace
}  // namespace ringshift
