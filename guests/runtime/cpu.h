// Instructions that C++ has no words for: ports, control and debug registers, MSRs, CPUID.
#pragma once

#include "runtime/types.h"

inline void out8(u16 port, u8 value) { asm volatile("outb %0, %1" ::"a"(value), "Nd"(port)); }
inline void out16(u16 port, u16 value) { asm volatile("outw %0, %1" ::"a"(value), "Nd"(port)); }
inline void out32(u16 port, u32 value) { asm volatile("outl %0, %1" ::"a"(value), "Nd"(port)); }
inline u8 in8(u16 port) {
  u8 value;
  asm volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline u16 in16(u16 port) {
  u16 value;
  asm volatile("inw %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
inline u32 in32(u16 port) {
  u32 value;
  asm volatile("inl %1, %0" : "=a"(value) : "Nd"(port));
  return value;
}
#define RUNTIME_REGISTER(name)                          \
  inline u32 read_##name() {                            \
    u32 value;                                          \
    asm volatile("movl %%" #name ", %0" : "=r"(value)); \
    return value;                                       \
  }                                                     \
  inline void write_##name(u32 value) { asm volatile("movl %0, %%" #name ::"r"(value) : "memory"); }
RUNTIME_REGISTER(cr0)
RUNTIME_REGISTER(cr2)
RUNTIME_REGISTER(cr3)
RUNTIME_REGISTER(cr4)
RUNTIME_REGISTER(dr0)
RUNTIME_REGISTER(dr1)
RUNTIME_REGISTER(dr2)
RUNTIME_REGISTER(dr3)
RUNTIME_REGISTER(dr6)
RUNTIME_REGISTER(dr7)
#undef RUNTIME_REGISTER
inline u32 read_eflags() {
  u32 value;
  asm volatile("pushfl\n popl %0" : "=r"(value));
  return value;
}
inline void write_msr(u32 index, u64 value) { asm volatile("wrmsr" ::"c"(index), "A"(value)); }
inline u64 read_msr(u32 index) {
  u64 value;
  asm volatile("rdmsr" : "=A"(value) : "c"(index));
  return value;
}
inline u64 read_tsc() {
  u64 value;
  asm volatile("rdtsc" : "=A"(value));
  return value;
}
inline void flush_page(const void* address) { asm volatile("invlpg (%0)" ::"r"(address) : "memory"); }

struct CpuidAnswer {
  u32 eax, ebx, ecx, edx;
};
inline CpuidAnswer cpuid(u32 leaf) {
  CpuidAnswer a;
  asm volatile("cpuid" : "=a"(a.eax), "=b"(a.ebx), "=c"(a.ecx), "=d"(a.edx) : "a"(leaf), "c"(0));
  return a;
}
// A feature bit of leaf 1 EDX (SDM vol. 2A CPUID table 3-11).
inline bool has_feature(u32 bit) { return (cpuid(1).edx >> bit & 1) != 0; }
constexpr u32 kFeatureVme = 1, kFeatureDe = 2, kFeaturePse = 3, kFeaturePae = 6, kFeatureApic = 9,
              kFeatureSep = 11, kFeaturePge = 13, kFeatureMmx = 23, kFeatureFxsr = 24, kFeatureSse = 25,
              kFeatureSse2 = 26;
