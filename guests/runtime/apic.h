// The local APIC and the I/O APIC at their usual addresses, for guests (SDM vol. 3A 11; 82093AA).
#pragma once

#include "runtime/runtime.h"

enum ApicRegister : u32 {
  kApicId = 0x20,
  kApicVersion = 0x30,
  kApicTaskPriority = 0x80,
  kApicProcessorPriority = 0xa0,
  kApicEoi = 0xb0,
  kApicLogicalDestination = 0xd0,
  kApicDestinationFormat = 0xe0,
  kApicSpurious = 0xf0,
  kApicInService = 0x100,
  kApicTriggerMode = 0x180,
  kApicRequested = 0x200,
  kApicErrorStatus = 0x280,
  kApicCommandLow = 0x300,
  kApicCommandHigh = 0x310,
  kApicLvtTimer = 0x320,
  kApicLvtLint0 = 0x350,
  kApicLvtLint1 = 0x360,
  kApicLvtError = 0x370,
  kApicTimerInitial = 0x380,
  kApicTimerCurrent = 0x390,
  kApicTimerDivide = 0x3e0,
};
constexpr u32 kApicMasked = 0x10000, kApicPeriodic = 0x20000, kApicToSelf = 0x40000, kApicNmi = 0x400;

inline volatile u32& apic(u32 reg) { return *reinterpret_cast<volatile u32*>(0xfee00000 + reg); }
// One of the 256 bits of IRR, ISR or TMR.
inline bool apic_bit(u32 reg, u32 vector) {
  return (apic(reg + (vector / 32) * 16) >> (vector % 32) & 1) != 0;
}
inline u32 apic_id() { return apic(kApicId) >> 24; }
// An NMI to this processor: by its ID, because the shorthand "self" is for fixed interrupts only.
inline void send_nmi() {
  apic(kApicCommandHigh) = apic_id() << 24;
  apic(kApicCommandLow) = kApicNmi | 0x4000;
}

inline u32 read_io_apic(u32 index) {
  *reinterpret_cast<volatile u32*>(0xfec00000) = index;
  return *reinterpret_cast<volatile u32*>(0xfec00010);
}
inline void write_io_apic(u32 index, u32 value) {
  *reinterpret_cast<volatile u32*>(0xfec00000) = index;
  *reinterpret_cast<volatile u32*>(0xfec00010) = value;
}
