// Guest: forged segment descriptors and descriptor tables.
#include "xen-conformance/forge.h"

SNIPPET(load_fs, "", "movl %eax, %fs", "movl $0xe021, %eax\n movl %eax, %fs");
SNIPPET(read_through_fs, "movl %eax, %fs", "movl %fs:0, %eax", "movl $0xe021, %eax\n movl %eax, %fs");
SNIPPET(far_call, "pushl %eax\n pushl $0\n", "lcall *(%esp)", "addl $8, %esp");
SNIPPET(program_calls_gate, "", "lcall $0x33, $0", "int $0x80");
SNIPPET(iret_with_nt, "pushfl\n pushl %cs\n pushl $iret_with_nt_next\n pushfl\n orl $0x4000, (%esp)\n popfl",
        "iret", "");
SNIPPET(user_iret_with_nt,
        "pushfl\n pushl %cs\n pushl $user_iret_with_nt_next\n pushfl\n orl $0x4000, (%esp)\n popfl", "iret",
        "int $0x80");
SNIPPET(write_page, "", "movl $0x12345678, (%eax)", "");

namespace {

using xen::kPage;
using xen::machine_address;
using xen::mfn_of;

constexpr u64 kFlatData = 0x00cf93000000ffffull;  // base 0, 4 GiB, DPL 0
constexpr u64 kFlatCode = 0x00cf9b000000ffffull;
constexpr u64 dpl(u64 level) { return level << 45; }
constexpr u32 level_of(u64 descriptor) { return static_cast<u32>(descriptor >> 45 & 3); }
// A system descriptor of this type, DPL 3, present; as a gate: to selector:offset.
constexpr u64 system(u32 type, u16 selector = 0, u32 offset = 0) {
  return (offset & 0xffff) | u64{selector} << 16 | u64{0xe0 | type} << 40 | u64{offset >> 16} << 48;
}

u64* g_gdt;

u64* new_page() { return reinterpret_cast<u64*>(xen::take_page()); }

// The entry as it is after the hypercall: Xen may put a descriptor right instead of refusing it.
int set_entry(u32 index, u64 descriptor) {
  return xen::update_descriptor(machine_address(&g_gdt[index]), descriptor);
}

void refuse_descriptor(u64 descriptor, const char* name) {
  set_entry(5, 0);
  const int result = set_entry(5, descriptor);
  if (g_gdt[5] != 0)
    check(false, name);
  else
    check_error(result, XEN_EINVAL, name);
}

void check_tables() {
  g_gdt = new_page();
  const xen_pfn_t frame = mfn_of(g_gdt);
  g_gdt[1] = kFlatData | dpl(1);
  check_error(xen::set_gdt(&frame, 512), XEN_EINVAL, "a GDT page that is mapped writable");
  g_gdt[2] = system(9);
  xen::make_read_only(g_gdt);
  check_error(xen::set_gdt(&frame, 512), XEN_EINVAL, "a GDT page with a TSS in it");
  check_success(xen::make_writable(g_gdt), "which stays a page");
  g_gdt[2] = 0;
  xen::make_read_only(g_gdt);
  const xen_pfn_t foreign = foreign_frame(), none = 0xffffffff;
  check_error(xen::set_gdt(&foreign, 512), XEN_EINVAL, "a foreign GDT page");
  check_error(xen::set_gdt(&none, 512), XEN_EINVAL, "frame FFFFFFFF as a GDT page");
  check_error(xen::set_gdt(&frame, FIRST_RESERVED_GDT_ENTRY + 1), XEN_EINVAL,
              "a GDT that reaches Xen's part");
  check_error(xen::set_gdt(&frame, 0xffffffff), XEN_EINVAL, "a GDT of 2^32 - 1 entries");
  const xen_pfn_t table = mfn_of(xen::boot_root());
  check_error(xen::set_gdt(&table, 512), XEN_EINVAL, "a page table as a GDT page");
  check_success(xen::set_gdt(&frame, 512), "a good GDT");
  check_none(run(load_fs, 8 | 1), "its data segment can be loaded");
  check_caught(run(load_fs, 3 * 8 | 1), 13, 3 * 8, load_fs_at, "an empty descriptor can't");
  check_error(xen::make_writable(g_gdt), XEN_EINVAL, "the GDT page can't become writable");
  check_error(xen::pin_table(g_gdt, 1), XEN_EINVAL, "nor a page table");
  check_page_fault(run(write_page, xen::address(g_gdt)), 3, write_page_at, xen::address(g_gdt),
                   "and can't be written");
}

void check_updates() {
  check_success(set_entry(3, kFlatData | dpl(3)), "a data segment of DPL 3");
  check_success(set_entry(3, kFlatData | dpl(1)), "of DPL 1");
  check(set_entry(3, kFlatData) != 0 || level_of(g_gdt[3]) != 0,
        "a data segment of DPL 0 doesn't come to be");
  check(set_entry(3, kFlatCode) != 0 || level_of(g_gdt[3]) != 0, "nor a code segment");
  const u64 conforming = kFlatCode | u64{4} << 40;
  check(set_entry(3, conforming) != 0 || level_of(g_gdt[3]) != 0, "nor a conforming one");
  check_success(set_entry(3, 0), "an empty descriptor");
  check_success(set_entry(3, kFlatData & ~(u64{1} << 47)), "one that isn't present may be anything");
  set_entry(3, 0);
  refuse_descriptor(system(2), "an LDT");
  refuse_descriptor(system(9), "an available TSS");
  refuse_descriptor(system(11), "a busy TSS");
  refuse_descriptor(system(1), "a 16-bit TSS");
  refuse_descriptor(system(5, 8), "a task gate");
  refuse_descriptor(system(14, FLAT_KERNEL_CS, 0x100000), "an interrupt gate");
  refuse_descriptor(system(15, FLAT_KERNEL_CS, 0x100000), "a trap gate");
  refuse_descriptor(system(4, FLAT_KERNEL_CS, 0x1000), "a 16-bit call gate");
  refuse_descriptor(system(12, 0xe008, 0), "a call gate to Xen's own code");
  refuse_descriptor(system(12, 0xe000, 0), "a call gate to Xen's reserved part");
}

void check_addresses() {
  u64* page = new_page();
  const u64 data = kFlatData | dpl(1);
  check_success(xen::update_descriptor(machine_address(&page[4]), data), "a plain page may be written");
  check(level_of(page[4]) == 1 && page[4] != 0, "and is");
  const u64* table = xen::table_in(xen::directory_of(hole())[511]);
  check_error(xen::update_descriptor(machine_address(&table[4]), data), XEN_EINVAL, "a page table may not");
  check(table[4] == 0, "and isn't");
  check_error(xen::update_descriptor(machine_address(&page[5]) + 4, data), XEN_EINVAL, "half a descriptor");
  check(page[5] == 0 && page[6] == 0, "isn't written");
  check_error(xen::update_descriptor(u64{foreign_frame()} * kPage, data), XEN_EINVAL,
              "nor is a foreign frame");
  check_error(xen::update_descriptor(machine_address(&page[7]) | u64{1} << 44, data), XEN_EINVAL,
              "an address plus 2^44 is not that page");
  check(page[7] == 0, "which isn't written");
}

void check_local_table() {
  u64* page = new_page();
  page[1] = kFlatData | dpl(1);
  xen::make_read_only(page);
  check_error(xen::mmuext(MMUEXT_SET_LDT, xen::address(page) + 8, 512), XEN_EINVAL,
              "an LDT must be at a page");
  check_error(xen::mmuext(MMUEXT_SET_LDT, xen::address(page), 8193), XEN_EINVAL, "of 8,192 entries at most");
  check_success(xen::mmuext(MMUEXT_SET_LDT, xen::address(page), 512), "a good LDT");
  check_none(run(load_fs, 8 | 4 | 1), "its data segment can be loaded too");
  check_success(xen::mmuext(MMUEXT_SET_LDT, 0, 0), "no LDT");
  const Caught without = run(load_fs, 8 | 4 | 1);
  check(without.any && without.vector == 13, "then it can't");
  check_success(xen::make_writable(page), "and the page is free");
  page[1] = system(9);
  xen::make_read_only(page);
  xen::mmuext(MMUEXT_SET_LDT, xen::address(page), 512);
  const Caught forged = run(load_fs, 8 | 4 | 1);
  check(forged.any && (forged.vector == 13 || forged.vector == 14),
        "an LDT page with a TSS in it is of no use");
  xen::mmuext(MMUEXT_SET_LDT, 0, 0);
}

// M2P's words are the guest's to choose: it must not be read as descriptors.
void check_hidden_table() {
  u8* page = xen::take_page();
  const mmu_update_t low{machine_address(page) | MMU_MACHPHYS_UPDATE, 0x0000ffff};
  xen::mmu_update(&low, 1);
  check_error(xen::mmuext(MMUEXT_SET_LDT, MACH2PHYS_VIRT_START, 8192), XEN_EINVAL, "M2P is no LDT");
  check_error(xen::mmuext(MMUEXT_SET_LDT, 0xfe000000, 512), XEN_EINVAL, "nor is what Xen has above it");
  check_error(xen::mmuext(MMUEXT_SET_LDT, 0xfffff000, 8192), XEN_EINVAL, "nor the last page");
  check_error(xen::mmuext(MMUEXT_SET_LDT, MACH2PHYS_VIRT_START - kPage, 8192), XEN_EINVAL,
              "nor an LDT that reaches there");
  const mmu_update_t back{machine_address(page) | MMU_MACHPHYS_UPDATE, xen::address(page) / kPage};
  xen::mmu_update(&back, 1);
  const Caught caught = run(load_fs, 8 | 4 | 1);
  check(caught.any && caught.vector == 13, "there is no LDT after all");
}

// A call gate to the kernel's own code may be: but there is no TSS, whose stack it would switch to.
void check_call_gate() {
  set_entry(6, 0);
  set_entry(6, system(12, FLAT_KERNEL_CS, xen::address(reinterpret_cast<void*>(load_fs))));
  const Caught caught = run_user(program_calls_gate);
  check(caught.any && caught.vector >= 10 && caught.vector <= 13,
        "a program's call of a gate to the kernel is a fault, if there can be one");
  set_entry(6, 0);
}

// NT makes IRET a task switch to the task that the TSS names, where there is none.
void check_nested_task() {
  const Caught caught = run(iret_with_nt);
  check(caught.any && caught.vector >= 10 && caught.vector <= 13, "IRET with NT is a fault");
  const Caught user = run_user(user_iret_with_nt);
  check(user.any && user.vector >= 10 && user.vector <= 13, "IRET of a program with NT is a fault");
}

// Ring 0's own selectors are there, in every GDT; they can't be used.
void check_selectors() {
  check_caught(run(load_fs, 0xe010), 13, 0xe010, load_fs_at, "Xen's data segment can't be loaded");
  const Caught call = run(far_call, 0xe008);
  check(call.any && call.vector == 13, "Xen's code segment can't be called");
  check_none(run(load_fs, FLAT_USER_DS), "the flat segment of ring 3 can be loaded");
  set_entry(4, (kFlatData | dpl(1)) & ~u64{0xffff0000000000ffull});
  const Caught limited = run(read_through_fs, 4 * 8 | 1);
  check(!limited.any || limited.vector == 13, "a segment's limit holds");
}

}  // namespace

void guest_main() {
  check_tables();
  check_updates();
  check_addresses();
  check_local_table();
  check_hidden_table();
  check_selectors();
  check_call_gate();
  check_nested_task();
}
