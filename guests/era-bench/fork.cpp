// fork() by copy-on-write (as in every Unix since 3BSD's vfork proved too sharp), and demand paging.
#include "era-bench/fork.h"

#include "runtime/memory.h"

namespace {

constexpr u32 kFaultPresent = 1, kFaultWrite = 2;  // bits of the error code (SDM vol. 3A 4.7)

// Both get the page read-only; a store by either finds kCopyOnWrite.
u64 shared_entry(u64 entry) {
  const u32 flags = flags_of(entry);
  if ((flags & kWritable) == 0) return entry;
  return ops::make_entry(frame_of(entry), (flags & ~kWritable) | kCopyOnWrite);
}

void copy_table(u64* from, AddressSpace& to, u32 linear) {
  for (u32 i = 0; i < 512; ++i) {
    if ((from[i] & kPresent) == 0) continue;
    const u64 shared = shared_entry(from[i]);
    share_frame(frame_of(shared));
    if (shared != from[i]) ops::queue_entry(&from[i], shared);
    *page_entry(to, linear + i * kPage, true) = shared;
  }
}

bool in_heap_or_stack(u32 linear) {
  return (linear >= kHeap && linear < kHeapEnd) || (linear >= kStack && linear < kStackEnd);
}

// The last owner keeps the frame; others take a copy.
void unshare(u64* entry, u32 linear) {
  u32 frame = frame_of(*entry);
  if (owners_of(frame) > 1) {
    const u32 copy = allocate_frame();
    memory_copy(reinterpret_cast<void*>(copy), reinterpret_cast<void*>(frame), kPage);
    release_frame(frame);
    frame = copy;
  }
  ops::change_page(entry, linear, ops::make_entry(frame, kPresent | kWritable | kUser));
}

}  // namespace

void fork_current(const TrapFrame& frame) {
  Process& child = claim_process();
  child.space = make_address_space();
  const AddressSpace& parent = g_current->space;
  for (u32 i = 0; i < 512; ++i)
    if ((parent.directory[i] & kPresent) != 0)
      copy_table(reinterpret_cast<u64*>(frame_of(parent.directory[i])), child.space, kUserBase + (i << 21));
  ops::commit_entries();
  ops::flush_all();  // the TLB may hold pages as writable that are not any longer
  adopt_address_space(child.space);
  frame_of(child) = frame;
  frame_of(child).eax = 0;
  make_runnable(child);
}

bool cure_page_fault(u32 linear, u32 error) {
  if (!in_heap_or_stack(linear)) return false;
  u64* entry = page_entry(g_current->space, linear, true);
  if ((error & kFaultPresent) == 0) {
    ops::set_entry(entry, ops::make_entry(allocate_zeroed_frame(), kPresent | kWritable | kUser));
    return true;
  }
  if ((error & kFaultWrite) == 0 || (*entry & kCopyOnWrite) == 0) return false;
  unshare(entry, linear);
  return true;
}
