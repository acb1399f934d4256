// Guest: forged page tables. Each must be refused, and leave what it was about as it was.
#include "xen-conformance/forge.h"

SNIPPET(store, "", "movl $0x12345678, (%eax)", "");

namespace {

using xen::entry_of;
using xen::kPage;
using xen::kPresent;
using xen::kUser;
using xen::kWritable;
using xen::machine_address;
using xen::mfn_of;

constexpr u32 kAll = kPresent | kWritable | kUser;
constexpr u32 kBase = 0x40000000;  // of the second GiB

u64* new_page() { return reinterpret_cast<u64*>(xen::take_page()); }
bool is_mapped(u32 linear) { return (*xen::entry_of_page(linear) & kPresent) != 0; }

// An entry that may not be made at the hole; afterwards nothing is mapped there.
void refuse_mapping(u64 entry, int error, const char* name) {
  const int result = xen::update_va_mapping(hole(), entry, UVMF_INVLPG);
  if (is_mapped(hole())) {
    check(false, name);
    xen::update_va_mapping(hole(), 0, UVMF_INVLPG);
    return;
  }
  check_error(result, error, name);
}

void check_writable_tables() {
  const u64* root = xen::boot_root();
  const u64* directory = xen::directory_of(0);
  const u64* leaf = xen::table_in(directory[0]);
  refuse_mapping(entry_of(root, kAll), XEN_EINVAL, "the root can't be mapped writable");
  refuse_mapping(entry_of(directory, kAll), XEN_EINVAL, "a directory can't be mapped writable");
  refuse_mapping(entry_of(leaf, kAll), XEN_EINVAL, "a page table can't be mapped writable");
  check_error(xen::make_writable(leaf), XEN_EINVAL, "nor in the linear map");
  check_page_fault(run(store, xen::address(leaf)), 3, store_at, xen::address(leaf), "it is read-only still");
  check_success(xen::update_va_mapping(hole(), entry_of(leaf, kPresent | kUser), UVMF_INVLPG),
                "a page table may be mapped to be read");
  check_equal(*reinterpret_cast<volatile u32*>(hole()), static_cast<u32>(leaf[0]),
              "and is what is seen there");
  check_page_fault(run(store, hole()), 3, store_at, hole(), "not to be written");
  check_success(xen::update_va_mapping(hole(), 0, UVMF_INVLPG), "it may be unmapped");
}

void check_foreign_frames() {
  const u64 foreign = u64{foreign_frame()} * kPage;
  refuse_mapping(foreign | kAll, XEN_EINVAL, "a frame that isn't the guest's can't be mapped");
  refuse_mapping(foreign | kPresent, XEN_EINVAL, "nor to be read");
  refuse_mapping(u64{0xfffff} * kPage | kAll, XEN_EINVAL, "a frame below 4 GiB that the machine hasn't");
  refuse_mapping((u64{1} << 32) | entry_of(xen::boot_root(), kPresent), XEN_EINVAL,
                 "a frame number plus 2^20 is not that frame");
  refuse_mapping((u64{1} << 44) | entry_of(xen::g_start, kPresent), XEN_EINVAL,
                 "a frame number plus 2^32 is not that frame");
  refuse_mapping((u64{1} << 51) | entry_of(xen::g_start, kPresent), XEN_EINVAL,
                 "a frame number plus 2^39 is not that frame");
  u64* page = new_page();
  fill(page, 0);
  const mmu_update_t update{foreign | MMU_NORMAL_PT_UPDATE, 0};
  check_error(xen::mmu_update(&update, 1), XEN_EINVAL, "no entry of a foreign frame can be written");
  const mmu_update_t m2p{foreign | MMU_MACHPHYS_UPDATE, 5};
  check_error(xen::mmu_update(&m2p, 1), XEN_EINVAL, "nor its M2P entry");
  check_error(xen::mmuext(MMUEXT_PIN_L1_TABLE, foreign_frame()), XEN_EINVAL, "nor can it be pinned");
  check_error(xen::mmuext(MMUEXT_PIN_L1_TABLE, 0xffffffff), XEN_EINVAL, "no frame FFFFFFFF can be pinned");
  check_error(xen::mmuext(MMUEXT_UNPIN_TABLE, foreign_frame()), XEN_EINVAL, "nor unpinned");
  check_error(xen::mmuext(MMUEXT_NEW_BASEPTR, foreign_frame()), XEN_EINVAL, "nor be the root");
  check_error(xen::mmuext(MMUEXT_NEW_BASEPTR, 0xffffffff), XEN_EINVAL, "no frame FFFFFFFF can be the root");
}

void check_flags() {
  const u64 page = entry_of(new_page(), kAll);
  refuse_mapping(page | xen::kGlobal, XEN_EINVAL, "no global page");
  refuse_mapping(page | xen::kLarge, XEN_EINVAL, "no PAT bit");
  refuse_mapping(page | (u64{1} << 52), XEN_EINVAL, "bit 52 is reserved");
  refuse_mapping(page | (u64{1} << 62), XEN_EINVAL, "bit 62 is reserved");
  u64* directory = xen::directory_of(hole());
  const u64 large = (u64{mfn_of(new_page()) & ~511u} * kPage) | kAll | xen::kLarge;
  check_error(xen::write_entry(&directory[0], large), XEN_EINVAL, "no large page");
  check_equal(static_cast<u32>(directory[0]), 0, "the directory has none");
  check_success(xen::update_va_mapping(hole(), page | 0xe00 | xen::kAccessed | xen::kDirty, UVMF_INVLPG),
                "bits 9 to 11, A and D are the guest's");
  check_success(xen::update_va_mapping(hole(), ~u64{0} & ~u64{1}, UVMF_INVLPG),
                "an absent entry may be anything");
  check_success(xen::update_va_mapping(hole(), 0, UVMF_INVLPG), "and zero");
}

void check_pins() {
  u64* page = new_page();
  check_error(xen::pin_table(page, 1), XEN_EINVAL, "a page that is mapped writable is no page table");
  page[7] = 7;
  check_equal(static_cast<u32>(page[7]), 7, "it is writable still");
  page[7] = 0;
  page[0] = entry_of(page, kPresent | kWritable);
  xen::make_read_only(page);
  check_error(xen::pin_table(page, 1), XEN_EINVAL, "a table that maps itself writable");
  xen::make_writable(page);
  page[0] = entry_of(page, kPresent);
  xen::make_read_only(page);
  check_success(xen::pin_table(page, 1), "a table that maps itself read-only");
  check_error(xen::pin_table(page, 1), XEN_EINVAL, "it can't be pinned twice");
  check_error(xen::pin_table(page, 2), XEN_EINVAL, "nor as a directory as well");
  check_error(xen::make_writable(page), XEN_EINVAL, "nor mapped writable while it is pinned");
  check_success(xen::unpin_table(page), "it can be unpinned");
  check_error(xen::unpin_table(page), XEN_EINVAL, "but once");
  check_success(xen::make_writable(page), "and is a page again");
  page[0] = u64{foreign_frame()} * kPage | kPresent;
  page[511] = 0;
  xen::make_read_only(page);
  check_error(xen::pin_table(page, 1), XEN_EINVAL, "a table that maps a foreign frame");
  xen::make_writable(page);
  page[0] = 0;
  page[511] = u64{foreign_frame()} * kPage | kPresent;
  xen::make_read_only(page);
  check_error(xen::pin_table(page, 1), XEN_EINVAL, "also by its last entry");
  check_success(xen::make_writable(page), "after a refusal it is a page");
  page[511] = 0;
  xen::make_read_only(page);
  check_error(xen::mmuext(MMUEXT_PIN_L4_TABLE, mfn_of(page)), XEN_EINVAL, "there is no fourth level");
  check_success(xen::make_writable(page), "the page is free in the end");
  check_error(xen::unpin_table(xen::take_page()), XEN_EINVAL, "a page that isn't pinned can't be unpinned");
  check_error(xen::mmuext(MMUEXT_PIN_L1_TABLE, xen::g_start->shared_info / kPage), XEN_EINVAL,
              "shared_info is no page table");
}

void check_levels() {
  u64* directory = xen::directory_of(hole());
  u64* leaf = xen::table_in(directory[511]);
  u64* page = new_page();
  check_error(xen::write_entry(&directory[1], entry_of(directory, kAll)), XEN_EINVAL,
              "a directory can't be its own table");
  check_error(xen::write_entry(&directory[1], entry_of(xen::boot_root(), kAll)), XEN_EINVAL,
              "the root is no table");
  check_error(xen::write_entry(&directory[1], entry_of(page, kAll)), XEN_EINVAL,
              "a writable page is no table");
  check_equal(static_cast<u32>(directory[1]), 0, "the directory is as it was");
  check_success(xen::write_entry(&directory[1], entry_of(leaf, kAll)), "one table at two places");
  check_success(xen::write_entry(&directory[1], 0), "and at one again");
  check_error(xen::make_writable(leaf), XEN_EINVAL, "where it counts still");
  check_error(xen::pin_table(leaf, 2), XEN_EINVAL, "a table in use is no directory");
  check_error(xen::write_entry(&xen::boot_root()[2], entry_of(leaf, kPresent)), XEN_EINVAL,
              "a table is no directory for the root");
  check_error(xen::write_entry(&xen::boot_root()[2], entry_of(xen::boot_root(), kPresent)), XEN_EINVAL,
              "the root can't be its own directory");
  check_error(xen::load_root(leaf), XEN_EINVAL, "a table is no root");
  check_error(xen::load_root(directory), XEN_EINVAL, "a directory is no root");
  check_error(xen::load_root(page), XEN_EINVAL, "a writable page is no root");
}

// The fourth GiB belongs to Xen from HYPERVISOR_VIRT_START on.
void check_top() {
  const u64* root = xen::boot_root();
  u64* top = xen::table_in(root[3]);
  constexpr u32 kSlot = HYPERVISOR_VIRT_START >> 21 & 511;
  const u64 before = top[kSlot];
  u64* leaf = new_page();
  xen::make_read_only(leaf);
  const u32 slots[] = {kSlot, kSlot + 1, 511u};
  for (const u32 slot : slots)
    if (xen::write_entry(&top[slot], entry_of(leaf, kAll)) == 0)
      check(false, "an entry of Xen's was written");
  check(top[kSlot] == before, "Xen's entries of the top directory are Xen's");
  check(xen::write_entry(&top[kSlot], 0) != 0 && top[kSlot] == before, "nor can they be cleared");
  check_success(xen::write_entry(&top[kSlot - 1], entry_of(leaf, kAll)), "those below are the guest's");
  check_success(xen::write_entry(&top[kSlot - 1], 0), "and may go");
  check_success(xen::make_writable(leaf), "the table is a page again");
  const u64 page = entry_of(new_page(), kAll);
  const u32 linears[] = {HYPERVISOR_VIRT_START, MACH2PHYS_VIRT_END, 0xfffff000ul};
  for (const u32 linear : linears)
    if (xen::update_va_mapping(linear, page, UVMF_INVLPG) == 0)
      check(false, "a page in Xen's hole was mapped");
  check(xen::pfn_of(mfn_of(1u)) == 1, "M2P is as it was");
  const u64 last = root[3];
  check(xen::write_entry(&root[3], 0) != 0 && root[3] == last, "the fourth entry of a root in use stays");
  check(xen::write_entry(&xen::boot_root()[2], last) != 0, "the top directory can't be at another place too");
}

void check_roots() {
  Tables tables = make_tables();
  check_error(xen::pin_table(tables.root, 3), XEN_EINVAL, "a root that is writable");
  tables.root[3] = 0;
  protect(tables);
  check_error(xen::pin_table(tables.root, 3), XEN_EINVAL, "a root without the fourth GiB");
  unprotect(tables);
  tables.root[3] = xen::boot_root()[3];
  protect(tables);
  check_error(xen::pin_table(tables.root, 3), XEN_EINVAL, "a root with another's top directory");
  unprotect(tables);
  tables.root[3] = tables.root[1];
  protect(tables);
  check_error(xen::pin_table(tables.root, 3), XEN_EINVAL,
              "a root with one directory at two places, one the top");
  unprotect(tables);
  tables.root[3] = entry_of(tables.top, kPresent);
  tables.root[2] = entry_of(tables.root, kPresent);
  protect(tables);
  check_error(xen::pin_table(tables.root, 3), XEN_EINVAL, "a root that is its own directory");
  unprotect(tables);
  tables.root[2] = 0;
  tables.leaf[3] = entry_of(tables.directory, kAll);
  protect(tables);
  check_error(xen::pin_table(tables.root, 3), XEN_EINVAL, "tables of which one maps another writable");
  check_success(xen::make_writable(tables.leaf), "the innermost is a page after that");
  tables.leaf[3] = entry_of(tables.directory, kPresent);
  protect(tables);
  check_success(xen::pin_table(tables.root, 3), "the same, read-only");
  check_success(xen::load_root(tables.root), "becomes the root");
  // Its entry of the directory that it maps, but for A, which the reading sets.
  const u32 seen = *reinterpret_cast<volatile u32*>(kBase + 3 * kPage);
  check_equal(seen | xen::kAccessed, static_cast<u32>(tables.directory[0]) | xen::kAccessed,
              "and is in force");
  check_success(xen::unpin_table(tables.root), "it may be unpinned while it is");
  check_error(xen::make_writable(tables.root), XEN_EINVAL, "but not become writable");
  check_success(xen::load_root(xen::boot_root()), "back to the first root");
  const u64* const all[] = {tables.root, tables.directory, tables.top, tables.leaf};
  for (const u64* table : all)
    if (xen::make_writable(table) != 0) check(false, "a table of a dead root is in use");
  check(true, "and all its tables are pages again");
}

void check_batches() {
  u64* page = new_page();
  const u64* table = xen::table_in(xen::directory_of(hole())[511]);
  const u64 good = entry_of(page, kPresent | kUser);
  const mmu_update_t three[] = {{machine_address(&table[1]), good},
                                {machine_address(&table[2]), entry_of(table, kAll)},
                                {machine_address(&table[3]), good}};
  u32 done = 99;
  check_error(xen::mmu_update(three, 3, &done), XEN_EINVAL, "a batch with a bad second update");
  check_equal(done, 1, "tells how many were done");
  check(table[1] == good && table[2] == 0 && table[3] == 0, "and did no more");
  const mmu_update_t clear{machine_address(&table[1]), 0};
  check_success(xen::mmu_update(&clear, 1), "one update");
  check_success(xen::mmu_update(nullptr, 0), "no update");
  const mmu_update_t odd{machine_address(&table[1]) + 4, good};
  check_error(xen::mmu_update(&odd, 1), XEN_EINVAL, "an entry's second half");
  check(table[1] == 0, "was not written");
  const mmu_update_t far{machine_address(&table[1]) | u64{1} << 44, good};
  check_error(xen::mmu_update(&far, 1), XEN_EINVAL, "an address plus 2^44 is not that entry");
  check(table[1] == 0, "and was not written");
  check_error(xen::mmu_update(&clear, 1, nullptr, 5), XEN_ESRCH, "there is no domain 5");
  const mmu_update_t keep{machine_address(&table[1]) | MMU_PT_UPDATE_PRESERVE_AD, good};
  const mmu_update_t marked{machine_address(&table[1]), good | xen::kAccessed};
  xen::mmu_update(&marked, 1);
  check_success(xen::mmu_update(&keep, 1), "MMU_PT_UPDATE_PRESERVE_AD");
  check((table[1] & xen::kAccessed) != 0, "keeps A");
  xen::mmu_update(&clear, 1);
  const mmu_update_t plain{machine_address(&page[5]), 0x123456789abcdefull};
  check_success(xen::mmu_update(&plain, 1), "a page that is no table may be written too");
  check(page[5] == 0x123456789abcdefull, "and is");
  const mmu_update_t m2p{machine_address(page) | MMU_MACHPHYS_UPDATE, 77};
  check_success(xen::mmu_update(&m2p, 1), "MMU_MACHPHYS_UPDATE of the guest's own frame");
  check_equal(xen::pfn_of(mfn_of(page)), 77, "is seen in M2P");
  const mmu_update_t back{machine_address(page) | MMU_MACHPHYS_UPDATE, xen::address(page) / kPage};
  check_success(xen::mmu_update(&back, 1), "and can be put right");
  mmuext_op_t bad[2] = {};
  bad[0].cmd = MMUEXT_TLB_FLUSH_LOCAL;
  bad[1].cmd = 999;
  done = 99;
  check_error(xen::mmuext_op(bad, 2, &done), XEN_ENOSYS, "an unknown command of mmuext_op");
  check_equal(done, 1, "after a good one");
}

u32 g_ticks;

// Longer than Xen works at a stretch: it leaves in between for events, and goes on where it was.
void check_long_lists() {
  constexpr u32 kUpdates = 20000;
  mmu_update_t* list = reinterpret_cast<mmu_update_t*>(xen::take_page());
  while (xen::next_page() < xen::address(list + kUpdates)) xen::take_page();
  u64* page = new_page();
  for (u32 i = 0; i < kUpdates; ++i) list[i] = {machine_address(&page[i % 512]), i};
  xen::set_event_handler([](u32) { ++g_ticks; });
  if (xen::bind_virq(VIRQ_TIMER) < 0) xen::fail("no timer");
  xen::unmask_events();
  u32 wrong = 0, done = 0;
  for (u32 i = 0; i < 20; ++i) {
    xen::set_timer_op(xen::system_time() + 100000);
    fill(page, 0);
    if (xen::mmu_update(list, kUpdates, &done) != 0 || done != kUpdates) ++wrong;
    for (u32 j = 0; j < 512; ++j)
      if (page[j] < kUpdates - 512 || page[j] % 512 != j) ++wrong;
  }
  check_equal(wrong, 0, "20,000 updates, with the timer's events meanwhile");
  check(g_ticks > 0, "which came");
  wrong = 0;
  for (u32 i = 0; i < 10; ++i) {
    // Made anew: Xen keeps its place in the arguments of a call that it leaves.
    multicall_entry_t calls[3] = {};
    for (multicall_entry_t& call : calls)
      call = {
          __HYPERVISOR_mmu_update, 99, {xen::address(list), kUpdates, xen::address(&done), DOMID_SELF, 0, 0}};
    xen::set_timer_op(xen::system_time() + 100000);
    fill(page, 0);
    done = 0;
    if (xen::multicall(calls, 3) != 0 || done != kUpdates) ++wrong;
    for (const multicall_entry_t& call : calls) wrong += call.result != 0 ? 1 : 0;
    for (u32 j = 0; j < 512; ++j)
      if (page[j] < kUpdates - 512 || page[j] % 512 != j) ++wrong;
  }
  check_equal(wrong, 0, "three such calls in one");
  list[kUpdates - 1].ptr = u64{foreign_frame()} * kPage;
  check_error(xen::mmu_update(list, kUpdates, &done), XEN_EINVAL, "20,000 updates, the last a bad one");
  check_equal(done, kUpdates - 1, "all but the last are done");
  xen::mask_events();
  xen::set_timer_op(0);
}

// Changes of rights alone, which a shortcut might wave through (XSA-182).
void check_rights() {
  const u64* table = xen::table_in(xen::directory_of(hole())[511]);
  const u64 read_only = entry_of(table, kPresent | kUser);
  check_success(xen::write_entry(&table[0], read_only), "a table, mapped to be read");
  check_error(xen::write_entry(&table[0], read_only | kWritable), XEN_EINVAL,
              "can't get the right to be written");
  const mmu_update_t keep{machine_address(&table[0]) | MMU_PT_UPDATE_PRESERVE_AD, read_only | kWritable};
  check_error(xen::mmu_update(&keep, 1), XEN_EINVAL, "nor with A and D kept");
  const mmu_update_t direct{machine_address(&table[0]) | MMU_PT_UPDATE_NO_TRANSLATE, read_only | kWritable};
  check_error(xen::mmu_update(&direct, 1), XEN_EINVAL, "nor untranslated");
  check_error(xen::update_va_mapping(hole(), read_only | kWritable, UVMF_TLB_FLUSH | UVMF_ALL), XEN_EINVAL,
              "nor by update_va_mapping");
  check(table[0] == read_only || (table[0] & kWritable) == 0, "and has not");
  check_success(xen::write_entry(&table[0], 0), "it goes");
  u64* directory = xen::directory_of(hole());
  const u64 entry = directory[511];
  check_error(xen::write_entry(&directory[511], entry | xen::kLarge), XEN_EINVAL,
              "a table's entry can't get large");
  check(directory[511] == entry || (directory[511] & xen::kLarge) == 0, "and isn't");
}

// A refusal half way takes back all that was counted before (XSA-299).
void check_refusals() {
  u64* table = new_page();
  u64* page = new_page();
  for (u32 i = 0; i < 511; ++i) table[i] = entry_of(page, kPresent | kWritable);
  table[511] = u64{foreign_frame()} * kPage | kPresent;
  xen::make_read_only(table);
  for (u32 i = 0; i < 10; ++i)
    if (xen::pin_table(table, 1) == 0) check(false, "a table with one bad entry was pinned");
  xen::make_writable(table);
  xen::make_read_only(page);
  check_success(xen::pin_table(page, 1), "what a refused table mapped writable may be a table");
  check_success(xen::unpin_table(page), "and no longer");
  table[511] = 0;
  xen::make_read_only(table);
  check_success(xen::pin_table(table, 1), "the table without its bad entry");
  check_error(xen::pin_table(page, 1), XEN_EINVAL, "then what it maps may not");
  check_success(xen::unpin_table(table), "the table goes");
  check_success(xen::pin_table(page, 1), "and it may");
  xen::unpin_table(page);
}

void check_pages() {
  u64* table = xen::table_in(xen::directory_of(hole())[511]);
  const u64 first = xen::boot_root()[0];
  xen::mmuext(MMUEXT_CLEAR_PAGE, mfn_of(xen::boot_root()));
  check(xen::boot_root()[0] == first, "MMUEXT_CLEAR_PAGE leaves a page table");
  u64* page = new_page();
  page[0] = entry_of(table, kAll);
  xen::mmuext(MMUEXT_COPY_PAGE, mfn_of(table), mfn_of(page));
  check(table[0] == 0, "MMUEXT_COPY_PAGE leaves a page table");
  xen::mmuext(MMUEXT_COPY_PAGE, mfn_of(page), foreign_frame());
  check(page[0] == entry_of(table, kAll), "and copies no foreign frame");
  check(xen::mmuext(MMUEXT_CLEAR_PAGE, foreign_frame()) < 0, "MMUEXT_CLEAR_PAGE of a foreign frame");
  vcpu_register_vcpu_info_t place{};
  place.mfn = mfn_of(xen::boot_root());
  check(xen::vcpu_op(VCPUOP_register_vcpu_info, 0, &place) < 0, "vcpu_info is put on no page table");
  place.mfn = foreign_frame();
  check(xen::vcpu_op(VCPUOP_register_vcpu_info, 0, &place) < 0, "nor on a foreign frame");
  place.mfn = mfn_of(page);
  place.offset = kPage - 32;
  check(xen::vcpu_op(VCPUOP_register_vcpu_info, 0, &place) < 0, "nor across the end of a page");
  check(xen::boot_root()[0] == first, "the root is as it was");
}

// What a page is, follows its last use: no count is lost on the way, so that no table stays writable.
void check_counts() {
  u64* directory = xen::directory_of(hole());
  u64* table = new_page();
  const u64 entry = entry_of(table, kAll);
  check_success(xen::update_va_mapping(hole(), entry, UVMF_INVLPG), "a second writable mapping");
  xen::make_read_only(table);
  check_error(xen::write_entry(&directory[2], entry), XEN_EINVAL, "keeps a page from being a table");
  check_success(xen::update_va_mapping(hole(), 0, UVMF_INVLPG), "without it");
  check_success(xen::write_entry(&directory[2], entry), "it may be one");
  for (u32 i = 0; i < 100; ++i)
    if (xen::write_entry(&directory[3 + i], entry) != 0) check(false, "one table at a hundred places");
  for (u32 i = 0; i < 100; ++i)
    if (xen::write_entry(&directory[3 + i], 0) != 0) check(false, "a table goes from a hundred places");
  check_error(xen::make_writable(table), XEN_EINVAL, "at the last place it is a table still");
  check_success(xen::write_entry(&directory[2], 0), "it goes from there");
  check_success(xen::make_writable(table), "and is a page");
  table[9] = 9;
  check_equal(static_cast<u32>(table[9]), 9, "that can be written");
}

}  // namespace

void guest_main() {
  check_writable_tables();
  check_foreign_frames();
  check_flags();
  check_pins();
  check_levels();
  check_top();
  check_roots();
  check_batches();
  check_rights();
  check_refusals();
  check_pages();
  check_counts();
  check_long_lists();
}
