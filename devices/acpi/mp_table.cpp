// The MP table (MultiProcessor Specification 1.4, chapter 4).
#include "devices/acpi/mp_table.h"

#include "base/check.h"
#include "devices/acpi/table_bytes.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/local_apic.h"
#include "devices/pci/pci_interrupts.h"

namespace ringshift {

namespace {

constexpr u8 kPciBus = 0, kIsaBus = 1;
constexpr u8 kInterrupt = 0, kNmi = 1, kExtInt = 3;
constexpr std::size_t kFloatingSize = 16;

// Entry types 3 (I/O) and 4 (local); polarity and trigger are the bus's own.
void assignment(TableBytes& out, u8 type, u8 kind, u8 bus, unsigned source, u8 apic, unsigned input) {
  out.u8_(type);
  out.u8_(kind);
  out.u16_(0);
  out.u8_(bus);
  out.u8_(source);
  out.u8_(apic);
  out.u8_(input);
}

void bus_entry(TableBytes& out, u8 id, std::string_view type) {
  out.u8_(1);
  out.u8_(id);
  out.text(type, 6);
}

// The entries; returns how many.
unsigned entries(TableBytes& out, const MpCpu& cpu) {
  out.u8_(0);
  out.u8_(0);     // local APIC ID
  out.u8_(0x14);  // its version
  out.u8_(3);     // enabled, bootstrap processor
  out.u32_(cpu.signature);
  out.u32_(cpu.features);
  out.zeros(8);
  bus_entry(out, kPciBus, "PCI");
  bus_entry(out, kIsaBus, "ISA");
  out.u8_(2);
  out.u8_(IoApic::kApicId);
  out.u8_(0x11);
  out.u8_(1);
  out.u32_(IoApic::kBase);
  unsigned count = 4;
  assignment(out, 3, kExtInt, kIsaBus, 0, IoApic::kApicId, 0);
  ++count;
  for (unsigned irq = 0; irq < 16; ++irq) {
    if (irq == 2 || irq == kPciInterruptA || irq == kPciInterruptB) continue;
    assignment(out, 3, kInterrupt, kIsaBus, irq, IoApic::kApicId, irq == 0 ? 2 : irq);
    ++count;
  }
  for (unsigned slot = 1; slot < 32; ++slot) {
    for (unsigned pin = 0; pin < 4; ++pin, ++count)
      assignment(out, 3, kInterrupt, kPciBus, slot << 2 | pin, IoApic::kApicId, pci_interrupt(slot, pin));
  }
  assignment(out, 4, kExtInt, kIsaBus, 0, 0, 0);
  assignment(out, 4, kNmi, kIsaBus, 0, 0xff, 1);
  return count + 2;
}

}  // namespace

std::vector<u8> build_mp_table(Gpa gpa, const MpCpu& cpu) {
  RS_CHECK(gpa % 16 == 0);
  TableBytes out;
  out.text("_MP_", 4);
  out.u32_(gpa + kFloatingSize);
  out.u8_(1);  // in units of 16 bytes
  out.u8_(4);  // version 1.4
  out.zeros(6);
  out.checksum(10, 0, kFloatingSize);

  const std::size_t table = out.size();
  out.text("PCMP", 4);
  out.u16_(0);
  out.u8_(4);
  out.u8_(0);
  out.text("RINGSHFT", 8);
  out.text("RINGSHIFT PC", 12);
  out.u32_(0);
  out.u16_(0);
  out.u16_(0);
  out.u32_(LocalApic::kBase);
  out.u32_(0);
  const unsigned count = entries(out, cpu);
  out.patch16(table + 4, out.size() - table);
  out.patch16(table + 34, count);
  out.checksum(table + 7, table, out.size() - table);
  return out.bytes();
}

}  // namespace ringshift
