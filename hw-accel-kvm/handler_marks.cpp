// Finding handlers by the guest's tables, and marking them.
#include "hw-accel-kvm/handler_marks.h"

#include <algorithm>
#include <cstring>

#include "cpu-model/guest_peek.h"
#include "cpu-model/paging.h"

namespace ringshift {

namespace {

constexpr u8 kHlt = 0xf4;
constexpr u32 kMaxLength = 15;

template <class T>
std::optional<T> peek_value(const Cpu& cpu, Gva gva) {
  u8 bytes[sizeof(T)];
  if (peek_bytes(cpu, gva, bytes) != sizeof bytes) return std::nullopt;
  T value;
  std::memcpy(&value, bytes, sizeof value);
  return value;
}

std::optional<HandlerEntry> real_mode_entry(const Cpu& cpu, u8 vector) {
  const auto entry = peek_value<u32>(cpu, static_cast<Gva>(cpu.state.idtr.base) + vector * 4u);
  if (!entry || vector * 4u + 3 > cpu.state.idtr.limit) return std::nullopt;
  return HandlerEntry{(*entry >> 16) * 16 + (*entry & 0xffff), false};
}

// The base of a code segment that this gate's handler runs in at CPL 0.
std::optional<u32> code_base(const Cpu& cpu, u16 selector) {
  const bool local = (selector & 4) != 0;
  const u64 table = local ? cpu.state.ldtr.base : cpu.state.gdtr.base;
  const u32 limit = local ? cpu.state.ldtr.limit : cpu.state.gdtr.limit;
  if ((selector & ~3u) == 0 || (selector | 7u) > limit) return std::nullopt;
  const auto raw = peek_value<u64>(cpu, static_cast<Gva>(table) + (selector & ~7u));
  if (!raw) return std::nullopt;
  const auto access = static_cast<u8>(*raw >> 40);
  constexpr u8 kPresentCode = 0x98, kConforming = 4;
  if ((access & kPresentCode) != kPresentCode) return std::nullopt;
  const unsigned cpl = (access & kConforming) != 0 ? cpu.state.cpl : access >> 5 & 3;
  if (cpl != 0) return std::nullopt;
  return static_cast<u32>((*raw >> 16 & 0xffffff) | (*raw >> 56) << 24);
}

}  // namespace

// SDM vol. 3A 6.10 and 6.11.
std::optional<HandlerEntry> handler_entry(const Cpu& cpu, u8 vector) {
  if (!cpu.protected_mode()) return real_mode_entry(cpu, vector);
  if (vector * 8u + 7 > cpu.state.idtr.limit) return std::nullopt;
  const auto gate = peek_value<u64>(cpu, static_cast<Gva>(cpu.state.idtr.base) + vector * 8u);
  if (!gate) return std::nullopt;
  // P, a system descriptor, and an interrupt or trap gate of 16 or 32 bits.
  const auto access = static_cast<u8>(*gate >> 40);
  if ((access & 0x96) != 0x86) return std::nullopt;
  const bool wide = (access & 8) != 0;
  const auto base = code_base(cpu, static_cast<u16>(*gate >> 16));
  if (!base) return std::nullopt;
  const u32 offset = static_cast<u32>(*gate & 0xffff) | (wide ? static_cast<u32>(*gate >> 48) << 16 : 0);
  return HandlerEntry{*base + offset, wide};
}

bool HandlerMarks::add(u8 vector) {
  const auto entry = handler_entry(cpu_, vector);
  if (!entry) return false;
  if (at(entry->linear)) return true;
  Gpa gpa = 0, code = 0;
  if (!peek(cpu_, entry->linear, &gpa) || cpu_.phys.kind(gpa) != PageKind::ram) return false;
  const Gva next = static_cast<Gva>(cpu_.state.segment(Seg::cs).base) + cpu_.state.eip();
  if (peek(cpu_, next, &code) && gpa - code < kMaxLength) return false;
  u8* const byte = cpu_.phys.host(gpa);
  marks_.push_back({entry->linear, gpa, *byte});
  *byte = kHlt;
  return true;
}

// In the other order, should two stand at one place.
void HandlerMarks::remove() {
  for (auto mark = marks_.rbegin(); mark != marks_.rend(); ++mark) *cpu_.phys.host(mark->gpa) = mark->byte;
  marks_.clear();
}

bool HandlerMarks::at(Gva linear) const {
  return std::any_of(marks_.begin(), marks_.end(), [&](const Mark& mark) { return mark.linear == linear; });
}

}  // namespace ringshift
