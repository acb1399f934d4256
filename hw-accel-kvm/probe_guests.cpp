// The probe guests' code and tables.
#include "hw-accel-kvm/probe_guests.h"

#include <initializer_list>

namespace ringshift {

namespace {
constexpr u32 kCode = 0x1000, kHandler = 0x1100, kGdt = 0x2000, kIdt = 0x3000, kTop = 0x4000,
              kSecond = 0x5000, kData = 0x6000, kStack = 0x8000;
constexpr u32 kAlias = 0x400000;  // shows physical 0 when paging is on
constexpr u16 kCodeSelector = 8, kDataSelector = 16;
constexpr u8 kVector = 0x20;

void put32(std::vector<u8>& out, u32 value) {
  for (unsigned i = 0; i < 4; ++i) out.push_back(static_cast<u8>(value >> (8 * i)));
}

std::vector<u8> words(std::initializer_list<u32> values) {
  std::vector<u8> out;
  for (const u32 value : values) put32(out, value);
  return out;
}

// mov al, answer; out port, al; hlt - the same in 16 and 32 bits.
const std::vector<u8> kAnswer{0xb0, kProbeAnswer, 0xe6, kProbePort, 0xf4};
const std::vector<u8> kSayAl{0xe6, kProbePort, 0xf4};

std::vector<u8> joined(std::vector<u8> left, const std::vector<u8>& right) {
  left.insert(left.end(), right.begin(), right.end());
  return left;
}

ProbeGuest real_guest(std::string_view name, std::vector<u8> code) {
  ProbeGuest guest{name, {}, {{kCode, std::move(code)}}};
  reset_vcpu(guest.state, 0x600);
  SegmentRegister& cs = guest.state.segment(Seg::cs);
  cs.selector = 0;
  cs.base = 0;
  guest.state.rip = kCode;
  guest.state.gpr[kEsp] = kStack;
  return guest;
}

ProbeGuest flat_guest(std::string_view name, std::vector<u8> code) {
  ProbeGuest guest = real_guest(name, std::move(code));
  VcpuState& state = guest.state;
  constexpr u32 kFlat = kSegPresent | kSegNotSystem | kSegWritable | kSegAccessed | kSegBig | kSegGranular;
  for (SegmentRegister& segment : state.seg) segment = {kDataSelector, 0, kFlat, 0xffffffff, 0, 0};
  state.segment(Seg::cs) = {kCodeSelector, 0, kFlat | kSegCode, 0xffffffff, 0, 0};
  state.cr0 = kCr0Pe | kCr0Et;
  state.gdtr = {kGdt, 23, 0};
  state.idtr = {kIdt, 0x7ff, 0};
  guest.memory.push_back({kGdt, words({0, 0, 0x0000ffff, 0x00cf9b00, 0x0000ffff, 0x00cf9300})});
  return guest;
}

// Paging is turned on by the guest itself, as a kernel does; then it reads the answer through the alias.
ProbeGuest paged_guest(std::string_view name, u32 cr4) {
  std::vector<u8> code{0x0f, 0x20, 0xc0,              // mov eax, cr0
                       0x0d, 0x00, 0x00, 0x00, 0x80,  // or eax, 80000000h
                       0x0f, 0x22, 0xc0,              // mov cr0, eax
                       0xa0};                         // mov al, [alias of the data]
  put32(code, kAlias + kData);
  ProbeGuest guest = flat_guest(name, joined(code, kSayAl));
  guest.state.cr3 = kTop;
  guest.state.cr4 = cr4;
  guest.memory.push_back({kData, {kProbeAnswer}});
  return guest;
}

ProbeGuest real_interrupt() {
  ProbeGuest guest = real_guest("real mode: int and iret", {0xcd, kVector, 0xe6, kProbePort, 0xf4});
  guest.memory.push_back({kVector * 4, {kHandler & 0xff, kHandler >> 8, 0, 0}});
  guest.memory.push_back({kHandler, {0xb0, kProbeAnswer, 0xcf}});
  return guest;
}

ProbeGuest protected_interrupt() {
  ProbeGuest guest = flat_guest(kProbeProtectedInterrupt, {0xcd, kVector, 0xe6, kProbePort, 0xf4});
  guest.memory.push_back({kIdt + kVector * 8u, words({u32{kCodeSelector} << 16 | kHandler, 0x8e00})});
  guest.memory.push_back({kHandler, {0xb0, kProbeAnswer, 0xcf}});
  return guest;
}

ProbeGuest flat_memory() {
  std::vector<u8> code{0xb8, kProbeAnswer, 0, 0, 0, 0xa3};  // mov eax, answer; mov [data], eax
  put32(code, kData);
  code.insert(code.end(), {0x31, 0xc0, 0xa0});  // xor eax, eax; mov al, [data]
  put32(code, kData);
  return flat_guest("protected mode, flat, without paging", joined(code, kSayAl));
}

// 1 + 1, 45 times over, by the x87: 5Ah.
ProbeGuest x87() {
  std::vector<u8> code{0xdb, 0xe3, 0xd9, 0xe8, 0xd8, 0xc0, 0x68,
                       45,   0,    0,    0,                        // fninit; fld1; fadd st0; push 45
                       0xda, 0x0c, 0x24, 0xdb, 0x1c, 0x24, 0x58};  // fimul [esp]; fistp [esp]; pop eax
  return flat_guest("x87", joined(code, kSayAl));
}

ProbeGuest paging() {
  ProbeGuest guest = paged_guest(kProbePaging, kCr4Pse);
  guest.memory.push_back({kTop, words({0x83, 0x83})});  // two 4 MiB pages
  return guest;
}

ProbeGuest pae() {
  ProbeGuest guest = paged_guest(kProbePae, kCr4Pae);
  guest.state.pdpte[0] = kSecond | 1;
  guest.memory.push_back({kTop, words({kSecond | 1, 0})});
  guest.memory.push_back({kSecond, words({0x83, 0, 0x83, 0, 0x83, 0})});  // three 2 MiB pages
  return guest;
}
}  // namespace

std::vector<ProbeGuest> probe_guests() {
  return {real_guest(kProbeRealMode, kAnswer),
          real_interrupt(),
          flat_memory(),
          protected_interrupt(),
          x87(),
          paging(),
          pae()};
}

ProbeGuest port_exit_guest(u32 count) {
  // out 80h, al; dec ecx; jnz; hlt
  ProbeGuest guest = flat_guest("port exits", {0xe6, 0x80, 0x49, 0x75, 0xfb, 0xf4});
  guest.state.gpr[kEcx] = count;
  return guest;
}

ProbeGuest mmio_exit_guest(u32 count) {
  // mov [E0000000h], eax; dec ecx; jnz; hlt
  ProbeGuest guest = flat_guest("mmio exits", {0xa3, 0, 0, 0, 0xe0, 0x49, 0x75, 0xf8, 0xf4});
  guest.state.gpr[kEcx] = count;
  return guest;
}

}  // namespace ringshift
