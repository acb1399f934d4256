// Rows of page-table entries: their ptemod in its three kinds, and what such a change costs until it is used.
//
// Who shadows page tables must notice a change when the guest next relies on it. A VMM with write-protected
// tables pays at the store (the paper's figures); one whose shadow works as a TLB may owe it until the next
// touch. So the three rows of the paper time the stores alone, and "remap" store, INVLPG and the touch that
// follows.
#include "era-bench/address_space.h"
#include "era-bench/ops.h"
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"

namespace {

constexpr u32 kPages = 512;  // one page table full
constexpr u32 kAll = kPresent | kWritable | kUser;

// 2 MiB of the kernel thread's own address space, on one frame.
class Window {
 public:
  Window() : frame_(allocate_zeroed_frame()) { entries_ = page_entry(g_current->space, kHeap, true); }
  ~Window() {
    fill(0);
    release_frame(frame_);
  }
  // All entries alike, no stale copy in a TLB; and used, if they can be, by a write.
  void fill(u32 flags) {
    for (u32 i = 0; i < kPages; ++i) ops::queue_entry(&entries_[i], entry(flags));
    ops::commit_entries();
    ops::load_root(g_current->space.root);
    if ((flags & kWritable) == 0) return;
    for (u32 i = 0; i < kPages; ++i) *reinterpret_cast<volatile u32*>(kHeap + i * kPage) = i;
  }
  void set(u32 i, u32 flags) { ops::set_entry(&entries_[i], entry(flags)); }
  // And no stale copy of it is left.
  void change(u32 i, u32 flags) { ops::change_page(&entries_[i], kHeap + i * kPage, entry(flags)); }

 private:
  [[nodiscard]] u64 entry(u32 flags) const { return flags == 0 ? 0 : ops::make_entry(frame_, flags); }
  u32 frame_;
  u64* entries_;
};

const char* change(u32 before, u32 after) {
  Window window;
  g_sampler.limit_batch(kPages);
  for (u32 n = g_sampler.first(); n != 0;) {
    window.fill(before);
    const u64 begin = read_tsc();
    for (u32 i = 0; i < n; ++i) window.set(i, after);
    n = g_sampler.next(read_tsc() - begin);
  }
  return nullptr;
}

const char* run_unmap(const Options&) { return change(kAll, 0); }
const char* run_map(const Options&) { return change(0, kAll); }
const char* run_protect(const Options&) { return change(kAll, kPresent | kUser); }

const char* run_remap(const Options&) {
  Window window;
  window.fill(kAll);
  u32 i = 0;
  sample([&] {
    const u32 linear = kHeap + i * kPage;
    window.change(i, 0);
    window.set(i, kAll);
    *reinterpret_cast<volatile u32*>(linear) = i;
    i = (i + 1) % kPages;
  });
  return nullptr;
}

constexpr Row kRows[] = {{"ptemod-unmap", run_unmap},
                         {"ptemod-map", run_map},
                         {"ptemod-protect", run_protect},
                         {"remap", run_remap}};

}  // namespace

Family memory_rows() { return family_of(kRows); }
