// Page tables under Xen: many entries by one hypercall, and frames that are read-only while they are tables.
#include "era-bench/frames.h"
#include "era-bench/ops.h"
#include "xen-runtime/xen.h"

namespace {

constexpr u32 kBatch = 64, kEntries = 512;
mmu_update_t g_updates[kBatch];
multicall_entry_t g_drops[kBatch];
u32 g_update_count, g_drop_count;
u64* g_directory;  // of the linear map

// The linear map's entry of a frame, as a machine address.
u64 entry_address(u32 frame) {
  const u64 table = g_directory[frame >> 21] & ~u64{kPage - 1};
  return table + (frame >> 12 & (kEntries - 1)) * sizeof(u64);
}

void queue(u64 machine_address, u64 value) {
  if (g_update_count == kBatch) ops::commit_entries();
  g_updates[g_update_count++] = {machine_address | MMU_NORMAL_PT_UPDATE, value};
}

}  // namespace

namespace ops {

void queue_entry(volatile u64* entry, u64 value) { queue(xen::machine_address(entry), value); }

void commit_entries() {
  if (g_update_count == 0) return;
  const u32 count = g_update_count;
  g_update_count = 0;
  require(xen::mmu_update(g_updates, count), "mmu_update");
}

void adopt_table(u32 frame) { queue(entry_address(frame), make_entry(frame, xen::kPresent)); }

void adopt_root(u32 frame) {
  adopt_table(frame);
  commit_entries();
  require(xen::mmuext(MMUEXT_PIN_L3_TABLE, xen::mfn_of(frame / kPage)), "PIN_L3_TABLE");
}

void drop_root(u32 frame) {
  require(xen::mmuext(MMUEXT_UNPIN_TABLE, xen::mfn_of(frame / kPage)), "UNPIN_TABLE");
}

// By update_va_mapping, because a TLB may still hold the page as read-only.
void drop_table(u32 frame) {
  if (g_drop_count == kBatch) commit_drops();
  const u64 entry = make_entry(frame, xen::kPresent | xen::kWritable);
  g_drops[g_drop_count++] = {
      __HYPERVISOR_update_va_mapping,
      0,
      {frame, static_cast<u32>(entry), static_cast<u32>(entry >> 32), UVMF_INVLPG, 0, 0}};
}

void commit_drops() {
  if (g_drop_count == 0) return;
  const u32 count = g_drop_count;
  g_drop_count = 0;
  require(xen::multicall(g_drops, count), "multicall");
  for (u32 i = 0; i < count; ++i) require(static_cast<int>(g_drops[i].result), "update_va_mapping");
}

// The linear map is made already, for the kernel alone.
u64* map_kernel(u32 user_begin, u32 user_end) {
  g_directory = xen::directory_of(0);
  for (u32 linear = user_begin; linear < user_end; linear += kPage)
    require(xen::update_va_mapping(linear, make_entry(linear, xen::kPresent | xen::kUser), UVMF_INVLPG),
            "update_va_mapping");
  return g_directory;
}

// Xen wants the fourth GiB's directory to be there, and to be in one address space only (it holds Xen's own
// entries from HYPERVISOR_VIRT_START on).
u64* make_top() { return reinterpret_cast<u64*>(allocate_zeroed_frame()); }

}  // namespace ops
