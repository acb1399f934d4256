// PcBoard: the devices of a PC and the wires between them.
#pragma once

#include <optional>
#include <vector>

#include "base/archive.h"
#include "devices/acpi/acpi_pm.h"
#include "devices/backend/char_backend.h"
#include "devices/irq/i8259.h"
#include "devices/irq/interrupt_router.h"
#include "devices/irq/io_apic.h"
#include "devices/irq/local_apic.h"
#include "devices/legacy/debug_console.h"
#include "devices/legacy/debug_exit.h"
#include "devices/legacy/i8042.h"
#include "devices/legacy/i8254.h"
#include "devices/legacy/mc146818.h"
#include "devices/legacy/port61.h"
#include "devices/legacy/port92.h"
#include "devices/legacy/uart_16550.h"
#include "devices/pci/pc_bridges.h"
#include "devices/pci/pci_host.h"
#include "machine/ferr_latch.h"
#include "machine/machine_config.h"
#include "memory/physical_map.h"

namespace ringshift {

// What the board is built into; all of it outlives the board.
struct BoardSurroundings {
  Clock& clock;
  CpuSignals& signals;
  PowerControl& power;
  PhysicalMap& map;
  CharBackend& serial;
  CharBackend* debugcon;  // null: no debug console
  i64 start_utc;          // what the real-time clock shows at Clock time 0
  u32 cpu_signature;      // CPUID leaf 1 EAX and EDX, for the MP table
  u32 cpu_features;
};

class PcBoard {
 public:
  PcBoard(const BoardSurroundings& around, const MachineConfig& config);
  PcBoard(const PcBoard&) = delete;

  // Claims ports and memory; an overlap is a mistake in the configuration (isa-debug-exit's ports).
  Result<void> attach();
  // All devices as after power-on, and the firmware's tables in memory.
  void reset();
  void save(StateWriter& out) const;
  void restore(StateReader& in);

  IoBus& ports() { return ports_; }
  MmioBus& mmio() { return mmio_; }
  InterruptRouter& router() { return router_; }
  LocalApic& local_apic() { return local_apic_; }
  FerrLatch& ferr() { return ferr_; }
  AcpiPm& acpi() { return acpi_; }
  // What the UART has not handed on yet goes to its backend.
  void flush() { com1_.flush(); }
  // Where the ACPI tables begin.
  Gpa rsdp() const;

 private:
  void place_tables();

  BoardSurroundings around_;
  IoBus ports_;
  MmioBus mmio_;
  I8259Pair pic_;
  LocalApic local_apic_;
  IoApic io_apic_;
  InterruptRouter router_;
  A20Gate a20_;
  I8254 pit_;
  Port61 port61_;
  Port92 port92_;
  Mc146818 rtc_;
  I8042 keyboard_;
  Uart16550 com1_;
  FerrLatch ferr_;
  AcpiPm acpi_;
  PciHost pci_;
  HostBridge host_bridge_;
  IsaBridge isa_bridge_;
  std::optional<DebugConsole> debugcon_;
  std::optional<DebugExit> debug_exit_;
  std::vector<Device*> devices_;  // in the order of reset and save
};

}  // namespace ringshift
