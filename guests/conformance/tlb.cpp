// Guest: what flushes the TLB, and how permissions of the levels combine (SDM vol. 3A 4.6, 4.10.4).
#include "runtime/paging.h"

namespace {

alignas(4096) u8 g_pages[5][4096];
alignas(4096) u32 g_second_directory[1024];
alignas(4096) u32 g_spare_table[1024];
constexpr u32 kOpen = kPresent | kWritable | kUser;
constexpr u32 kFar = 0xc00000;  // a page of its own in the last table of the runtime's map

u32 page(u32 i) { return reinterpret_cast<u32>(g_pages[i]); }
volatile u32& word(u32 at) { return *reinterpret_cast<volatile u32*>(at); }
void map(u32 linear, u32 physical, u32 flags) { page_entry(linear) = physical | flags; }
void flush(u32 linear) { flush_page(reinterpret_cast<void*>(linear)); }

SNIPPET(load, "movl 4(%esp), %ebx", "movl (%ebx), %eax", "");
SNIPPET(store, "movl 4(%esp), %ebx\n movl $1, %eax", "movl %eax, (%ebx)", "");
SNIPPET(user_load, "movl g_tlb_address, %ebx", "movl (%ebx), %eax", "int $0x80");
SNIPPET(user_store, "movl g_tlb_address, %ebx", "movl $1, (%ebx)", "int $0x80");
SNIPPET(user_call, "movl g_tlb_address, %ebx", "call *%ebx", "int $0x80");

}  // namespace

extern "C" {
u32 g_tlb_address;
}

namespace {

// kFar is page 1 at first, and has been used; then its entry says page 2. What does the flush make of it?
template <typename Flush>
void check_flush(u32 flags, Flush how, const char* name) {
  map(kFar, page(1), kOpen | flags);
  flush(kFar);
  word(kFar) = 0;  // in use, and dirty
  word(page(1)) = 0x1111;
  word(page(2)) = 0x2222;
  map(kFar, page(2), kOpen | flags);
  how();
  check_equal(word(kFar), 0x2222, name);
}

void test_flushes() {
  check_flush(
      0, [] { flush(kFar); }, "INVLPG");
  check_flush(
      0, [] { flush(kFar + 4095); }, "INVLPG of the page's last byte");
  check_flush(
      0, [] { write_cr3(read_cr3()); }, "MOV CR3");
  check_flush(
      0, [] { disable_paging(), write_cr0(read_cr0() | 0x80000000); }, "CR0.PG off and on");
  check_flush(
      0, [] { write_cr4(read_cr4() ^ 0x10), write_cr4(read_cr4() ^ 0x10); }, "CR4.PSE changed");
  check_flush(
      kGlobal, [] { write_cr3(read_cr3()); }, "MOV CR3 of a page with G while CR4.PGE is 0");
  write_cr4(read_cr4() | 0x80);
  check_flush(
      kGlobal, [] { flush(kFar); }, "INVLPG of a global page");
  check_flush(
      kGlobal, [] { write_cr4(read_cr4() & ~0x80u), write_cr4(read_cr4() | 0x80); },
      "CR4.PGE off and on, a global page");
  check_flush(
      kGlobal, [] { disable_paging(), write_cr0(read_cr0() | 0x80000000); },
      "CR0.PG off and on, a global page");
  check_flush(
      0, [] { write_cr3(read_cr3()); }, "MOV CR3 with CR4.PGE, a page that isn't global");
  write_cr4(read_cr4() & ~0x80u);
  // Two address spaces that differ in one table.
  memory_copy(g_second_directory, g_page_directory, 4096);
  memory_set(g_spare_table, 0, 4096);
  g_spare_table[0] = page(3) | kOpen;
  g_second_directory[kFar >> 22] = reinterpret_cast<u32>(g_spare_table) | kOpen;
  map(kFar, page(1), kOpen);
  const u32 first = read_cr3(), second = reinterpret_cast<u32>(g_second_directory);
  write_cr3(first);
  word(page(1)) = 0xaaaa;
  word(page(3)) = 0xbbbb;
  bool good = true;
  for (u32 i = 0; i < 50; ++i) {
    write_cr3(second);
    good = good && word(kFar) == 0xbbbb + i;
    word(kFar) = 0xbbbb + i + 1;
    write_cr3(first);
    good = good && word(kFar) == 0xaaaa;
  }
  check(good, "two address spaces, by turns");
  // One changes while the other is in use.
  write_cr3(second);
  map(kFar, page(2), kOpen);
  word(page(2)) = 0xcccc;
  write_cr3(first);
  check_equal(word(kFar), 0xcccc, "an address space that was changed while it was out of use");
  map(kFar, page(1), kOpen);
  write_cr3(second);
  g_spare_table[0] = 0;
  write_cr3(first);
  check_equal(word(kFar), 0xaaaa, "the other one, changed too");
  write_cr3(second);
  check_page_fault(run(load, kFar), 0, load_at, kFar, "and what was taken away from it");
  write_cr3(first);
  write_cr3(first | 0x18);
  check_equal(read_cr3(), first | 0x18, "CR3 keeps PWT and PCD");
  write_cr3(first);
  check_none(run([](u32) { flush(0x7f000000); }), "INVLPG of what isn't mapped");
}

void test_changes() {
  // Rights that are given need no flush: a fault looks anew (SDM vol. 3A 4.10.4.3).
  map(kFar, page(1), 0);
  flush(kFar);
  check_page_fault(run(load, kFar), 0, load_at, kFar, "absent");
  map(kFar, page(1), kOpen);
  check_none(run(load, kFar), "present, without a flush");
  map(kFar, page(1), kPresent | kUser);
  flush(kFar);
  g_tlb_address = kFar;
  check_caught(run_user(user_load), 0x80, 0, nullptr, "read-only: a read");
  check_page_fault(run_user(user_store), 7, user_store_at, kFar, "read-only: a write");
  map(kFar, page(1), kOpen);
  // The processor may fault once on the old entry; the fault drops it.
  const Caught again = run_user(user_store);
  check(again.vector == 0x80 || (again.vector == 14 && run_user(user_store).vector == 0x80),
        "writable without a flush: at once, or after one fault");
  map(kFar, page(1), kPresent | kWritable);
  flush(kFar);
  check_page_fault(run_user(user_load), 5, user_load_at, kFar, "for the supervisor alone");
  check_none(run(load, kFar), "which may read it");
  // Accessed and dirty, cleared and flushed.
  map(kFar, page(1), kOpen);
  flush(kFar);
  run(load, kFar);
  check_equal(page_entry(kFar) & (kAccessed | kDirty), kAccessed, "a read sets A");
  page_entry(kFar) = page_entry(kFar) & ~kAccessed;
  flush(kFar);
  run(load, kFar);
  check_equal(page_entry(kFar) & kAccessed, kAccessed, "A again after it was cleared");
  run(store, kFar);
  check_equal(page_entry(kFar) & kDirty, kDirty, "the first write after reads sets D");
  page_entry(kFar) = page_entry(kFar) & ~kDirty;
  flush(kFar);
  run(load, kFar);
  check_equal(page_entry(kFar) & kDirty, 0, "a read leaves D");
  run(store, kFar);
  check_equal(page_entry(kFar) & kDirty, kDirty, "D again after it was cleared");
  // A page table that maps itself.
  directory_entry(0x3fc00000) = reinterpret_cast<u32>(g_page_directory) | kOpen;
  write_cr3(read_cr3());
  check_equal(word(0x3fc00000 + (kFar >> 12) * 4) & ~0xfffu, page(1),
              "a directory as a table: the page's entry");
  word(0x3fc00000 + (kFar >> 12) * 4) = page(4) | kOpen;
  flush(kFar);
  word(page(4)) = 0x4444;
  check_equal(word(kFar), 0x4444, "an entry changed through it");
  directory_entry(0x3fc00000) = 0;
  map(kFar, kFar, kOpen);
  write_cr3(read_cr3());
}

// U/S and R/W of both levels: each right must be given by both (SDM vol. 3A 4.6).
void test_combinations() {
  static const char* const names[16] = {
      "PDE S R, PTE S R", "PDE S R, PTE S W", "PDE S R, PTE U R", "PDE S R, PTE U W",
      "PDE S W, PTE S R", "PDE S W, PTE S W", "PDE S W, PTE U R", "PDE S W, PTE U W",
      "PDE U R, PTE S R", "PDE U R, PTE S W", "PDE U R, PTE U R", "PDE U R, PTE U W",
      "PDE U W, PTE S R", "PDE U W, PTE S W", "PDE U W, PTE U R", "PDE U W, PTE U W"};
  write_cr0(read_cr0() | 0x10000);
  g_tlb_address = kFar;
  const u32 directory = directory_entry(kFar);
  for (u32 i = 0; i < 16; ++i) {
    const u32 pde = ((i & 8) != 0 ? kUser : 0) | ((i & 4) != 0 ? kWritable : 0);
    const u32 pte = ((i & 2) != 0 ? kUser : 0) | ((i & 1) != 0 ? kWritable : 0);
    directory_entry(kFar) = (directory & ~(kUser | kWritable)) | pde;
    map(kFar, page(1), kPresent | pte);
    write_cr3(read_cr3());
    const bool user = (pde & pte & kUser) != 0, writable = (pde & pte & kWritable) != 0;
    const Caught user_read = run_user(user_load), user_write = run_user(user_store), write = run(store, kFar);
    const bool good =
        (user ? user_read.vector == 0x80 : user_read.vector == 14 && user_read.error == 5) &&
        (user && writable ? user_write.vector == 0x80 : user_write.vector == 14 && user_write.error == 7) &&
        (writable ? !write.any : write.vector == 14 && write.error == 3) && !run(load, kFar).any;
    check(good, names[i]);
  }
  directory_entry(kFar) = directory;
  map(kFar, kFar, kOpen);
  write_cr3(read_cr3());
  write_cr0(read_cr0() & ~0x10000u);
}

void test_large() {
  const u32 directory = directory_entry(kFar);
  // PS is ignored without CR4.PSE: the entry names a table then, whose first word is page 1's.
  write_cr4(read_cr4() & ~0x10u);
  memory_set(g_spare_table, 0, 4096);
  g_spare_table[0] = page(1) | kOpen;
  word(page(1)) = 0x1357;
  directory_entry(kFar) = reinterpret_cast<u32>(g_spare_table) | kOpen | kLarge;
  write_cr3(read_cr3());
  check_equal(word(kFar), 0x1357, "PS without CR4.PSE");
  directory_entry(kFar) = directory;
  write_cr3(read_cr3());
  write_cr4(read_cr4() | 0x10);
  word(0x800000) = 0x8888;
  directory_entry(kFar) = 0x800000 | kOpen | kLarge;
  write_cr3(read_cr3());
  check_equal(word(kFar), 0x8888, "a page of 4 MiB");
  // Split into small pages.
  for (u32 i = 0; i < 1024; ++i) g_spare_table[i] = (0x800000 + (i << 12)) | kOpen;
  g_spare_table[0] = page(1) | kOpen;
  directory_entry(kFar) = reinterpret_cast<u32>(g_spare_table) | kOpen;
  flush(kFar);
  check_equal(word(kFar), 0x1357, "split into pages of 4 KiB, and flushed");
  word(0x801000) = 0x7777;
  check_equal(word(kFar + 0x1000), 0x7777, "the next of them");
  directory_entry(kFar) = 0x800000 | kPresent | kLarge;
  write_cr3(read_cr3());
  write_cr0(read_cr0() | 0x10000);
  check_page_fault(run(store, kFar + 0x200000), 3, store_at, kFar + 0x200000, "a read-only page of 4 MiB");
  write_cr0(read_cr0() & ~0x10000u);
  directory_entry(kFar) = directory;
  write_cr3(read_cr3());
  write_cr4(read_cr4() & ~0x10u);
}

void test_pae() {
  disable_paging();
  enable_pae();
  g_tlb_address = kFar;
  const bool nx = (cpuid(0x80000001).edx & (1u << 20)) != 0;
  {
    const Requirement has_nx(nx, "no NX");
    if (!skipping()) write_msr(0xc0000080, read_msr(0xc0000080) | 0x800);
    static const char* const names[4] = {"PAE: PDE X, PTE X", "PAE: PDE X, PTE NX", "PAE: PDE NX, PTE X",
                                         "PAE: PDE NX, PTE NX"};
    g_pages[1][0] = 0xc3;
    const u64 directory = pae_directory_entry(kFar);
    for (u32 i = 0; i < 4; ++i) {
      if (!skipping()) {
        pae_directory_entry(kFar) = directory | ((i & 2) != 0 ? 1ull << 63 : 0);
        pae_entry(kFar) = page(1) | kOpen | ((i & 1) != 0 ? 1ull << 63 : 0);
        write_cr3(read_cr3());
      }
      if (i == 0)
        check_caught(run_user(user_call), 0x80, 0, nullptr, names[i]);
      else
        check_page_fault(run_user(user_call), 0x15, reinterpret_cast<void*>(kFar), kFar, names[i]);
    }
    if (!skipping()) {
      pae_directory_entry(kFar) = directory;
      write_msr(0xc0000080, read_msr(0xc0000080) & ~0x800ull);
    }
  }
  pae_entry(kFar) = 0;
  write_cr3(read_cr3());
  check_page_fault(run_user(user_call), 4, reinterpret_cast<void*>(kFar), kFar,
                   "PAE: a fetch without NXE has no I/D");
  pae_entry(kFar) = page(1) | kOpen;
  word(page(1)) = 0x1111;
  word(page(2)) = 0x2222;
  write_cr3(read_cr3());
  const u32 before = word(kFar);
  pae_entry(kFar) = page(2) | kOpen;
  flush(kFar);
  check(before == 0x1111 && word(kFar) == 0x2222, "PAE: INVLPG");
  pae_directory_entry(kFar) = 0x800000 | kPresent | kLarge | kUser;
  write_cr3(read_cr3());
  check_page_fault(run_user(user_store), 7, user_store_at, kFar, "PAE: a read-only page of 2 MiB");
  pae_directory_entry(kFar) = 0x800000 | kOpen | kLarge | 0x2000;  // bits 13 to 20 are reserved
  write_cr3(read_cr3());
  check_page_fault(run(load, kFar), 9, load_at, kFar, "PAE: a reserved bit of a page of 2 MiB");
  disable_pae();
}

}  // namespace

void guest_main() {
  if (!has_feature(kFeaturePse) || !has_feature(kFeaturePge) || !has_feature(kFeaturePae))
    skip_guest("no PSE, PGE or PAE");
  enable_paging();
  test_flushes();
  test_changes();
  test_combinations();
  test_large();
  test_pae();
}
