// ACPI: the PM block, and what guests check in the tables: signatures, lengths, checksums, pointers.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>

#include "devices/acpi/acpi_pm.h"
#include "devices/acpi/acpi_tables.h"
#include "devices/acpi/aml.h"
#include "devices/acpi/mp_table.h"
#include "devices/test_rig.h"

namespace ringshift {
namespace {

struct Pm : testing::Test {
  Pm() { EXPECT_TRUE(pm.attach(bus)); }
  test::FakeTime time;
  Clock clock{time};
  IoBus bus;
  test::Wire sci;
  test::Power power;
  AcpiPm pm{clock, power, sci.line()};
};

TEST_F(Pm, TimerRuns) {
  EXPECT_EQ(bus.read(0x608, 4), 0u);
  time.ns = 1'000'000'000;
  EXPECT_EQ(bus.read(0x608, 4), 3'579'545u);
  EXPECT_EQ(bus.read(0x609, 1), (3'579'545u >> 8) & 0xff);
  time.ns = 2'000'000'000'000;
  EXPECT_EQ(bus.read(0x608, 4), static_cast<u32>(u64{3'579'545} * 2000));
}

TEST_F(Pm, TimerOverflowInterrupts) {
  bus.write(0x602, 2, 0x0001);
  const u64 deadline = clock.next_deadline();
  EXPECT_NEAR(static_cast<double>(deadline), 2147483648.0 / 3579545 * 1e9, 300);
  test::run_until(clock, time, deadline);
  EXPECT_TRUE(sci.level);
  EXPECT_EQ(bus.read(0x600, 2), 1u);
  bus.write(0x600, 2, 1);
  EXPECT_FALSE(sci.level);
  EXPECT_NE(clock.next_deadline(), Clock::kNever);
}

TEST_F(Pm, PowerOff) {
  EXPECT_EQ(bus.read(0x604, 2), 1u);
  bus.write(0x604, 2, 5 << 10);
  EXPECT_EQ(power.offs, 0);
  bus.write(0x604, 2, 3 << 10 | 1 << 13);
  EXPECT_EQ(power.offs, 0);
  bus.write(0x604, 2, 5 << 10 | 1 << 13);
  EXPECT_EQ(power.offs, 1);
  EXPECT_EQ(bus.read(0x604, 2), 5u << 10 | 1);
}

TEST_F(Pm, PowerButton) {
  pm.press_power_button();
  EXPECT_FALSE(sci.level);
  bus.write(0x602, 2, 0x0100);
  EXPECT_TRUE(sci.level);
  bus.write(0x601, 1, 0x01);  // a byte of the status
  EXPECT_FALSE(sci.level);
}

TEST_F(Pm, SaveAndRestore) {
  bus.write(0x602, 2, 0x0121);
  pm.press_power_button();
  test::Wire other_sci;
  AcpiPm other(clock, power, other_sci.line());
  test::expect_copy(pm, other);
  EXPECT_TRUE(other_sci.level);
}

TEST_F(Pm, AnyBytesAnywhereAreHarmless) {
  u32 seed = 13;
  const auto next = [&] { return (seed = seed * 1664525 + 1013904223) >> 8; };
  for (int i = 0; i < 100'000; ++i) {
    const u16 port = static_cast<u16>(0x600 + next() % 16);
    if (next() % 2 == 0)
      bus.write(port, 1u << next() % 3, next() << 8 ^ next());
    else
      bus.read(port, 1u << next() % 3);
    time.ns += next();
    clock.run_due();
  }
}

struct Tables {
  explicit Tables(std::vector<u8> b, Gpa at) : bytes(std::move(b)), base(at) {}
  u64 number(std::size_t at, unsigned width) const {
    u64 value = 0;
    for (unsigned i = 0; i < width; ++i) value |= u64{bytes.at(at + i)} << (8 * i);
    return value;
  }
  std::string text(std::size_t at, std::size_t width) const {
    return std::string(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                       bytes.begin() + static_cast<std::ptrdiff_t>(at + width));
  }
  unsigned sum(std::size_t at, std::size_t length) const {
    unsigned total = 0;
    for (std::size_t i = at; i < at + length; ++i) total += bytes.at(i);
    return total & 0xff;
  }
  std::size_t offset(u64 gpa) const { return gpa - base; }
  // Checks a table's header and gives its length.
  std::size_t check(std::size_t at, std::string_view signature) const {
    EXPECT_EQ(text(at, 4), signature);
    const std::size_t length = number(at + 4, 4);
    EXPECT_EQ(sum(at, length), 0u) << signature;
    return length;
  }
  std::vector<u8> bytes;
  Gpa base;
};

TEST(AcpiTables, ChainIsWhole) {
  const Tables t(build_acpi_tables(kAcpiTablesGpa, {u64{256} << 20}), kAcpiTablesGpa);
  EXPECT_LE(t.bytes.size(), kAcpiTablesMaxSize);
  EXPECT_EQ(t.text(0, 8), "RSD PTR ");
  EXPECT_EQ(t.sum(0, 20), 0u);
  const std::size_t rsdt = t.offset(t.number(16, 4));
  ASSERT_EQ(t.check(rsdt, "RSDT"), 44u);
  const std::size_t fadt = t.offset(t.number(rsdt + 36, 4));
  const std::size_t madt = t.offset(t.number(rsdt + 40, 4));
  EXPECT_EQ(t.check(fadt, "FACP"), 244u);
  t.check(madt, "APIC");
  const u64 facs = t.number(fadt + 36, 4);
  EXPECT_EQ(facs % 64, 0u);
  EXPECT_EQ(t.text(t.offset(facs), 4), "FACS");
  t.check(t.offset(t.number(fadt + 40, 4)), "DSDT");
  EXPECT_EQ(t.number(fadt + 140, 8), t.number(fadt + 40, 4));
  EXPECT_EQ(t.number(fadt + 46, 2), 9u);       // SCI
  EXPECT_EQ(t.number(fadt + 48, 4), 0u);       // SMI_CMD
  EXPECT_EQ(t.number(fadt + 56, 4), 0x600u);   // PM1a_EVT
  EXPECT_EQ(t.number(fadt + 64, 4), 0x604u);   // PM1a_CNT
  EXPECT_EQ(t.number(fadt + 76, 4), 0x608u);   // PM_TMR
  EXPECT_EQ(t.number(fadt + 91, 1), 4u);       // PM_TMR_LEN
  EXPECT_EQ(t.number(fadt + 108, 1), 0x32u);   // century
  EXPECT_EQ(t.number(fadt + 120, 8), 0xcf9u);  // reset register
  EXPECT_EQ(t.number(fadt + 128, 1), 6u);
  EXPECT_EQ(t.number(fadt + 152, 8), 0x600u);  // X_PM1a_EVT
  EXPECT_EQ(t.number(fadt + 176, 8), 0x604u);
  EXPECT_EQ(t.number(fadt + 212, 8), 0x608u);
}

TEST(AcpiTables, MadtEntriesFillTheTable) {
  const Tables t(build_acpi_tables(kAcpiTablesGpa, {}), kAcpiTablesGpa);
  const std::size_t madt = t.offset(t.number(t.offset(t.number(16, 4)) + 40, 4));
  const std::size_t length = t.check(madt, "APIC");
  std::string types;
  std::size_t at = 44;
  while (at < length) {
    types += static_cast<char>('0' + t.number(madt + at, 1));
    ASSERT_GT(t.number(madt + at + 1, 1), 0u);
    at += t.number(madt + at + 1, 1);
  }
  EXPECT_EQ(at, length);
  EXPECT_EQ(types, "0122224");
}

TEST(Aml, Encodings) {
  using namespace aml;
  EXPECT_EQ(eisa_id("PNP0A03"), (Bytes{0x0c, 0x41, 0xd0, 0x0a, 0x03}));
  EXPECT_EQ(integer(0x1234), (Bytes{0x0b, 0x34, 0x12}));
  EXPECT_EQ(package({integer(1), integer(0), integer(5)}), (Bytes{0x12, 0x06, 0x03, 0x01, 0x00, 0x0a, 0x05}));
  const Bytes body(100, 0);
  const Bytes wide = scope("\\_SB", body);
  EXPECT_EQ(Bytes(wide.begin(), wide.begin() + 8), (Bytes{0x10, 0x4b, 0x06, '\\', '_', 'S', 'B', '_'}));
}

TEST(MpTable, IsWhole) {
  const Tables t(build_mp_table(kMpTableGpa, {0x106c2, 0x201}), kMpTableGpa);
  EXPECT_EQ(t.text(0, 4), "_MP_");
  EXPECT_EQ(t.sum(0, 16), 0u);
  const std::size_t table = t.offset(t.number(4, 4));
  EXPECT_EQ(t.text(table, 4), "PCMP");
  const std::size_t length = t.number(table + 4, 2);
  EXPECT_EQ(table + length, t.bytes.size());
  EXPECT_EQ(t.sum(table, length), 0u);
  std::size_t at = table + 44;
  unsigned count = 0;
  for (; at < table + length; ++count) at += t.number(at, 1) == 0 ? 20 : 8;
  EXPECT_EQ(at, table + length);
  EXPECT_EQ(count, t.number(table + 34, 2));
}

// For a person with iasl: RINGSHIFT_DUMP_DSDT=FILE writes the DSDT there.
TEST(AcpiTables, DsdtCanBeDumped) {
  const Tables t(build_acpi_tables(kAcpiTablesGpa, {u64{256} << 20}), kAcpiTablesGpa);
  const std::size_t fadt = t.offset(t.number(t.offset(t.number(16, 4)) + 36, 4));
  const std::size_t dsdt = t.offset(t.number(fadt + 40, 4));
  const std::string table = t.text(dsdt, t.number(dsdt + 4, 4));
  EXPECT_NE(table.find("PCI0"), std::string::npos);
  EXPECT_NE(table.find("_S5_"), std::string::npos);
  if (const char* path = std::getenv("RINGSHIFT_DUMP_DSDT")) std::ofstream(path, std::ios::binary) << table;
}

}  // namespace
}  // namespace ringshift
