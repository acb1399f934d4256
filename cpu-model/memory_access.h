// Reads and writes of guest memory as instructions make them: through segments, the Tlb and page tables.
//
// The inline part serves a Tlb hit inside one page; all else (misses, straddles, MMIO, ROM, pages with
// attributes) is memory_access.cpp's. A fault leaves memory as it was: a straddling write checks both pages
// before it writes the first byte.
#pragma once

#include <cstring>

#include "cpu-model/cpu.h"
#include "cpu-model/paging.h"

namespace ringshift {

// 16 bytes, for SSE operands and FXSAVE parts.
struct alignas(16) Vec128 {
  u64 low, high;
};

// Slow paths. size: 1 to 512 bytes, any alignment; `user` as in walk().
Outcome<> read_linear_slow(Cpu& cpu, Gva gva, void* out, u32 size, bool user);
Outcome<> write_linear_slow(Cpu& cpu, Gva gva, const void* data, u32 size, bool user);
// Raises what a write of size bytes would raise, sets D, writes nothing: before a read-modify-write reads,
// and before an instruction that writes several places writes the first.
Outcome<> probe_write_slow(Cpu& cpu, Gva gva, u32 size, bool user);

template <class T>
Outcome<T> read_linear(Cpu& cpu, Gva gva, bool user) {
  T value;
  if (const u8* const at = cpu.tlb.plain_read(gva, sizeof(T), user)) [[likely]] {
    std::memcpy(&value, at, sizeof(T));
    return value;
  }
  RS_TRY(read_linear_slow(cpu, gva, &value, sizeof(T), user));
  return value;
}

template <class T>
Outcome<> write_linear(Cpu& cpu, Gva gva, const T& value, bool user) {
  if (u8* const at = cpu.tlb.plain_write(gva, sizeof(T), user)) [[likely]] {
    std::memcpy(at, &value, sizeof(T));
    return {};
  }
  return write_linear_slow(cpu, gva, &value, sizeof(T), user);
}

inline Outcome<> probe_write(Cpu& cpu, Gva gva, u32 size, bool user) {
  if (cpu.tlb.plain_write(gva, size, user) != nullptr) [[likely]]
    return {};
  return probe_write_slow(cpu, gva, size, user);
}

// The CPU's own accesses to descriptor tables, TSS and the like: supervisor, whatever CPL is.
template <class T>
Outcome<T> read_system(Cpu& cpu, Gva gva) {
  return read_linear<T>(cpu, gva, false);
}
template <class T>
Outcome<> write_system(Cpu& cpu, Gva gva, const T& value) {
  return write_linear<T>(cpu, gva, value, false);
}

// Instruction bytes from linear address gva at the current privilege: copies up to `size` (at most 15) bytes
// and returns how many could be had. Raises #PF (fetch) only if not even the first byte could; a later page
// that is missing or MMIO shortens the answer. Segment limits are the caller's to check. MMIO is fetched byte
// by byte.
Outcome<u32> fetch_bytes(Cpu& cpu, Gva gva, u8* out, u32 size);

// Fills the Tlb for an access and gives the page's TlbEntry if the plain fast path may be taken for it now;
// null if the access must take the slow path (MMIO, attributes). Raises #PF. For the translator's miss path.
Outcome<const TlbEntry*> fill_tlb(Cpu& cpu, Gva gva, AccessKind kind, bool user);

}  // namespace ringshift
