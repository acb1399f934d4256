// How the pins of PCI slots are wired: INTA#-INTD# of slot n to two ISA IRQs, alternately.
//
// The DSDT, the MADT and the MP table all tell guests this.
#pragma once

namespace ringshift {

inline constexpr unsigned kPciInterruptA = 10;
inline constexpr unsigned kPciInterruptB = 11;

// pin 0 is INTA#.
constexpr unsigned pci_interrupt(unsigned slot, unsigned pin) {
  return (slot + pin) % 2 == 0 ? kPciInterruptA : kPciInterruptB;
}

}  // namespace ringshift
