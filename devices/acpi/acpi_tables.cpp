// The board's ACPI tables (ACPI 6.4 chapter 5), in the revision-3 form that 32-bit guests understand.
#include "devices/acpi/acpi_tables.h"

#include <algorithm>

#include "base/bits.h"
#include "base/check.h"
#include "devices/acpi/acpi_pm.h"
#include "devices/acpi/aml.h"
#include "devices/acpi/table_bytes.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/local_apic.h"
#include "devices/pci/pci_interrupts.h"

namespace ringshift {

namespace {

constexpr std::size_t kHeaderSize = 36;
constexpr u16 kActiveHighLevel = 0x000d;  // MPS INTI flags (table 5.49)

// The header that all tables but RSDP and FACS begin with; finish() fills in length and checksum.
TableBytes begin(std::string_view signature, u8 revision) {
  TableBytes out;
  out.text(signature, 4);
  out.u32_(0);
  out.u8_(revision);
  out.u8_(0);
  out.text("RINGSH", 6);
  out.text("RINGSHFT", 8);
  out.u32_(1);
  out.text("RSFT", 4);
  out.u32_(1);
  RS_CHECK(out.size() == kHeaderSize);
  return out;
}

std::vector<u8> finish(TableBytes table) {
  table.patch32(4, table.size());
  table.checksum(9, 0, table.size());
  return table.bytes();
}

// _PRT: which global interrupt each slot's pins reach; the same numbers with the PIC.
aml::Bytes pci_routing() {
  std::vector<aml::Bytes> rows;
  for (unsigned slot = 1; slot < 32; ++slot) {
    for (unsigned pin = 0; pin < 4; ++pin)
      rows.push_back(aml::package({aml::integer(slot << 16 | 0xffff), aml::integer(pin), aml::integer(0),
                                   aml::integer(pci_interrupt(slot, pin))}));
  }
  return aml::package(rows);
}

std::vector<u8> build_dsdt(const AcpiConfig& config) {
  using namespace aml;
  const u64 window = std::max<u64>(0x8000'0000, align_up(config.ram_size, u64{256} << 20));
  const Bytes pci = device(
      "PCI0",
      join({name("_HID", eisa_id("PNP0A03")), name("_UID", integer(0)),
            name("_CRS", resources({bus_numbers(0, 0xff), io_ports(0xcf8, 8), io_window(0x0000, 0x0cf7),
                                    io_window(0x0d00, 0xffff), memory_window(0xa0000, 0xbffff),
                                    memory_window(static_cast<u32>(window), 0xfebf'ffff)})),
            name("_PRT", pci_routing())}));
  const Bytes keyboard =
      device("KBD", join({name("_HID", eisa_id("PNP0303")),
                          name("_CRS", resources({io_ports(0x60, 1), io_ports(0x64, 1), irq(1)}))}));
  const Bytes serial = device("COM1", join({name("_HID", eisa_id("PNP0501")), name("_UID", integer(1)),
                                            name("_CRS", resources({io_ports(0x3f8, 8), irq(4)}))}));
  const Bytes rtc = device(
      "RTC", join({name("_HID", eisa_id("PNP0B00")), name("_CRS", resources({io_ports(0x70, 2), irq(8)}))}));
  TableBytes out = begin("DSDT", 2);
  out.append(scope("\\_SB", join({pci, keyboard, serial, rtc})));
  const Bytes sleep_type = integer(AcpiPm::kS5SleepType);
  out.append(name("\\_S5", package({sleep_type, sleep_type, integer(0), integer(0)})));
  return finish(out);
}

std::vector<u8> build_facs() {
  TableBytes out;
  out.text("FACS", 4);
  out.u32_(64);
  out.zeros(56);
  return out.bytes();
}

// A generic address in I/O space (5.2.3.2); access size 1 byte, 2 word, 3 dword.
void io_address(TableBytes& out, u16 port, unsigned bits, unsigned access) {
  out.u8_(1);
  out.u8_(bits);
  out.u8_(0);
  out.u8_(access);
  out.u64_(port);
}

std::vector<u8> build_fadt(Gpa facs, Gpa dsdt) {
  constexpr u16 kEvent = AcpiPm::kBase, kControl = AcpiPm::kBase + 4, kTimer = AcpiPm::kBase + 8;
  TableBytes out = begin("FACP", 3);
  out.u32_(facs);
  out.u32_(dsdt);
  out.u8_(0);
  out.u8_(1);   // profile: desktop
  out.u16_(9);  // SCI
  out.u32_(0);  // SMI_CMD: none, ACPI mode is always on
  out.u32_(0);
  for (const u32 block : {u32{kEvent}, 0u, u32{kControl}, 0u, 0u, u32{kTimer}, 0u, 0u}) out.u32_(block);
  for (const unsigned length : {4, 2, 0, 4, 0, 0, 0, 0}) out.u8_(length);
  out.u16_(0xfff);  // C2 and C3 latencies: not supported
  out.u16_(0xfff);
  out.zeros(8);      // flush size and stride, duty cycle, day and month alarm
  out.u8_(0x32);     // century in CMOS
  out.u16_(0x0003);  // legacy devices, 8042
  out.u8_(0);
  // WBINVD, C1, no fixed sleep button, no RTC wake, 32-bit timer, reset register.
  out.u32_(1u << 0 | 1u << 2 | 1u << 5 | 1u << 6 | 1u << 8 | 1u << 10);
  io_address(out, 0xcf9, 8, 1);
  out.u8_(0x06);
  out.zeros(3);
  out.u64_(0);  // FACS: the 32-bit field counts
  out.u64_(dsdt);
  io_address(out, kEvent, 32, 2);
  out.zeros(12);
  io_address(out, kControl, 16, 2);
  out.zeros(24);
  io_address(out, kTimer, 32, 3);
  out.zeros(24);
  RS_CHECK(out.size() == 244);
  return finish(out);
}

void interrupt_override(TableBytes& out, unsigned irq, unsigned gsi, u16 flags) {
  out.u8_(2);
  out.u8_(10);
  out.u8_(0);  // ISA
  out.u8_(irq);
  out.u32_(gsi);
  out.u16_(flags);
}

std::vector<u8> build_madt() {
  TableBytes out = begin("APIC", 1);
  out.u32_(LocalApic::kBase);
  out.u32_(1);                                             // there is a pair of 8259 too
  for (const unsigned byte : {0, 8, 0, 0}) out.u8_(byte);  // local APIC 0 of CPU 0,
  out.u32_(1);                                             // enabled
  out.u8_(1);
  out.u8_(12);
  out.u8_(IoApic::kApicId);
  out.u8_(0);
  out.u32_(IoApic::kBase);
  out.u32_(0);
  interrupt_override(out, 0, 2, 0);
  for (const unsigned irq : {9u, kPciInterruptA, kPciInterruptB})
    interrupt_override(out, irq, irq, kActiveHighLevel);
  out.u8_(4);  // NMI: LINT1 of all CPUs
  out.u8_(6);
  out.u8_(0xff);
  out.u16_(0);
  out.u8_(1);
  return finish(out);
}

}  // namespace

std::vector<u8> build_acpi_tables(Gpa gpa, const AcpiConfig& config) {
  RS_CHECK(gpa % 64 == 0);
  TableBytes out;
  out.zeros(64);  // the RSDP, filled in below
  const auto place = [&](const std::vector<u8>& table) {
    out.align(64);  // what FACS needs
    const Gpa at = gpa + out.size();
    out.append(table);
    return at;
  };
  const Gpa facs = place(build_facs());
  const Gpa dsdt = place(build_dsdt(config));
  const Gpa fadt = place(build_fadt(facs, dsdt));
  const Gpa madt = place(build_madt());
  TableBytes root = begin("RSDT", 1);
  root.u32_(fadt);
  root.u32_(madt);
  const Gpa rsdt = place(finish(root));

  TableBytes rsdp;  // revision 0: 20 bytes
  rsdp.text("RSD PTR ", 8);
  rsdp.u8_(0);
  rsdp.text("RINGSH", 6);
  rsdp.u8_(0);
  rsdp.u32_(rsdt);
  rsdp.checksum(8, 0, 20);
  std::vector<u8> bytes = out.bytes();
  std::copy(rsdp.bytes().begin(), rsdp.bytes().end(), bytes.begin());
  RS_CHECK(bytes.size() <= kAcpiTablesMaxSize);
  return bytes;
}

}  // namespace ringshift
