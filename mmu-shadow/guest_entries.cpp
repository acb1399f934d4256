// Reading and comparing the guest's paging-structure entries (SDM vol. 3A 4.3, 4.4).
#include "mmu-shadow/guest_entries.h"

namespace ringshift {

namespace {

template <class Entry>
u64 load(const u8* host) {
  return __atomic_load_n(reinterpret_cast<const Entry*>(host), __ATOMIC_RELAXED);
}

// Tables outside RAM and ROM read as not present, as in cpu-model.
template <class Entry>
u64 load_physical(const Cpu& cpu, Gpa at) {
  const u8* host = cpu.phys.host(cpu.a20(at));
  return host == nullptr ? 0 : load<Entry>(host);
}

void read_directory32(const Cpu& cpu, u32 region, DirectoryPath& out) {
  constexpr u64 kLargeFrame = 0xffc00000;
  constexpr u32 kHalfTable = kRegionPages * sizeof(u32);
  const u32 index = region >> 1;
  out.entry = load_physical<u32>(cpu, (cpu.state.cr3 & 0xfffff000) + index * sizeof(u32));
  if ((out.entry & kEntryPresent) == 0) return;
  if ((out.entry & kEntryLarge) != 0 && (cpu.state.cr4 & kCr4Pse) != 0) {
    out.linear = true;
    out.origin = (out.entry & kLargeFrame) - (u64{index} << 22);
    return;
  }
  out.table = cpu.phys.host(cpu.a20((out.entry & 0xfffff000) + (region & 1) * kHalfTable));
}

void read_directory_pae(const Cpu& cpu, u32 region, DirectoryPath& out) {
  constexpr u64 kLargeOffset = (u64{1} << 21) - 1;
  out.pae = true;
  const u64 top = cpu.state.pdpte[region / kRegionPages];
  if ((top & kEntryPresent) == 0) return;
  out.entry = load_physical<u64>(cpu, (top & kEntryFrame) + (region % kRegionPages) * sizeof(u64));
  if ((out.entry & kEntryPresent) == 0) return;
  if ((out.entry & kEntryLarge) != 0) {
    out.linear = true;
    out.origin = (out.entry & kEntryFrame & ~kLargeOffset) - (u64{region} << 21);
    return;
  }
  out.table = cpu.phys.host(cpu.a20(out.entry & kEntryFrame));
}

}  // namespace

u64 DirectoryPath::page_entry(u32 page) const {
  if (table == nullptr) return 0;
  const u32 index = page % kRegionPages;
  return pae ? load<u64>(table + index * sizeof(u64)) : load<u32>(table + index * sizeof(u32));
}

DirectoryPath read_directory(const Cpu& cpu, u32 region) {
  DirectoryPath out;
  if (!cpu.paging())
    out.linear = true;
  else if ((cpu.state.cr4 & kCr4Pae) == 0)
    read_directory32(cpu, region, out);
  else
    read_directory_pae(cpu, region, out);
  return out;
}

Verdict compare_leaf(u64 recorded, u64 now) {
  const u64 changed = (recorded ^ now) & ~kEntryIgnored;
  if (changed == 0) return Verdict::keep;
  // A cleared A too: the guest must see the next access (SDM vol. 3A 4.8).
  if ((changed & ~(kEntryDirty | kEntryWritable)) != 0) return Verdict::drop;
  return (changed & recorded) != 0 ? Verdict::protect : Verdict::keep;
}

Verdict compare_directory(u64 recorded, u64 now) {
  // D and G mean nothing in an entry that points to a table (table 4-5).
  const u64 changed = (recorded ^ now) & ~(kEntryIgnored | kEntryDirty | kEntryGlobal);
  return changed == 0 ? Verdict::keep : Verdict::drop;
}

u32 paging_mode(const Cpu& cpu) {
  const VcpuState& state = cpu.state;
  u32 mode = state.a20_masked != 0 ? 1u : 0u;
  if (!cpu.paging()) return mode;
  mode |= 2;
  if ((state.cr0 & kCr0Wp) != 0) mode |= 4;
  if ((state.cr4 & kCr4Pse) != 0) mode |= 8;
  if ((state.cr4 & kCr4Pae) != 0) mode |= 16;
  if ((state.efer & kEferNxe) != 0) mode |= 32;
  return mode;
}

}  // namespace ringshift
