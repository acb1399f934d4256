// Making and wiring of the board.
#include "machine/pc_board.h"

#include <cstring>

#include "devices/acpi/acpi_tables.h"
#include "devices/acpi/mp_table.h"
#include "machine/loaders/boot_memory.h"

namespace ringshift {

namespace {
// ISA interrupt lines (PC/AT).
constexpr unsigned kIrqTimer = 0;
constexpr unsigned kIrqKeyboard = 1;
constexpr unsigned kIrqCom1 = 4;
constexpr unsigned kIrqRtc = 8;
constexpr unsigned kIrqSci = 9;
constexpr unsigned kIrqFpu = 13;
constexpr u16 kCom1 = 0x3f8;
}  // namespace

PcBoard::PcBoard(const BoardSurroundings& around, const MachineConfig& config)
    : around_(around),
      local_apic_(around.clock, around.signals),
      io_apic_(local_apic_),
      router_(around.signals, pic_, local_apic_, io_apic_),
      a20_(around.signals),
      pit_(around.clock, router_.line(kIrqTimer)),
      port61_(around.clock, pit_),
      port92_(a20_, around.power),
      rtc_(around.clock, router_.line(kIrqRtc), around.start_utc),
      keyboard_(router_.line(kIrqKeyboard), a20_, around.power),
      com1_("com1", kCom1, router_.line(kIrqCom1), around.clock, around.serial),
      ferr_(router_.line(kIrqFpu)),
      acpi_(around.clock, around.power, router_.line(kIrqSci)),
      pci_(around.power) {
  devices_ = {&pic_,      &local_apic_, &io_apic_, &a20_,  &pit_, &port61_,      &port92_,    &rtc_,
              &keyboard_, &com1_,       &ferr_,    &acpi_, &pci_, &host_bridge_, &isa_bridge_};
  if (around.debugcon != nullptr) devices_.push_back(&debugcon_.emplace(*around.debugcon));
  if (config.debug_exit)
    devices_.push_back(
        &debug_exit_.emplace(around.power, config.debug_exit->iobase, config.debug_exit->iosize));
}

Result<void> PcBoard::attach() {
  RS_TRY(pic_.attach(ports_));
  RS_TRY(pit_.attach(ports_));
  RS_TRY(port61_.attach(ports_));
  RS_TRY(port92_.attach(ports_));
  RS_TRY(rtc_.attach(ports_));
  RS_TRY(keyboard_.attach(ports_));
  RS_TRY(com1_.attach(ports_));
  RS_TRY(ferr_.attach(ports_));
  RS_TRY(acpi_.attach(ports_));
  RS_TRY(pci_.attach(ports_));
  RS_TRY(local_apic_.attach(mmio_));
  RS_TRY(io_apic_.attach(mmio_));
  if (debugcon_) RS_TRY(debugcon_->attach(ports_));
  if (debug_exit_) RS_TRY(debug_exit_->attach(ports_));
  RS_TRY(pci_.insert(0, 0, host_bridge_));
  RS_TRY(pci_.insert(1, 0, isa_bridge_));
  rtc_.set_memory_size(around_.map.memory().size());
  return {};
}

void PcBoard::reset() {
  for (Device* device : devices_) device->reset();
  router_.refresh();
  place_tables();
}

void PcBoard::save(StateWriter& out) const {
  for (const Device* device : devices_) device->save(out);
}

void PcBoard::restore(StateReader& in) {
  for (Device* device : devices_) device->restore(in);
  router_.refresh();
}

Gpa PcBoard::rsdp() const { return kAcpiTablesGpa; }

// The tables stand in the firmware's area, which is ROM for the guest and reserved in E820.
void PcBoard::place_tables() {
  GuestMemory& memory = around_.map.memory();
  if (memory.size() < kHighMemory) return;
  const auto place = [&](Gpa gpa, const std::vector<u8>& bytes) {
    RS_CHECK(gpa >= kFirmwareStart && gpa + bytes.size() <= kHighMemory);
    std::memcpy(memory.base() + gpa, bytes.data(), bytes.size());
  };
  const std::vector<u8> acpi = build_acpi_tables(kAcpiTablesGpa, {.ram_size = memory.size()});
  RS_CHECK(acpi.size() <= kAcpiTablesMaxSize);
  place(kAcpiTablesGpa, acpi);
  place(kMpTableGpa, build_mp_table(kMpTableGpa, {around_.cpu_signature, around_.cpu_features}));
  around_.map.set_kind(kFirmwareStart, (kHighMemory - kFirmwareStart) >> kPageShift, PageKind::rom);
}

}  // namespace ringshift
