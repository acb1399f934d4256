// Guest: what a paravirtual kernel finds at its start, and that it can't change what is Xen's.
#include "xen-conformance/forge.h"

SNIPPET(store_word, "", "movl $0x12345678, (%eax)", "");
SNIPPET(load_word, "", "movl (%eax), %eax", "");

namespace {

using xen::g_shared;
using xen::g_start;
using xen::kPage;

u32 segment(const char* name) {
  u32 value = 0;
  switch (name[0]) {
    case 'c':
      asm volatile("movl %%cs, %0" : "=r"(value));
      break;
    case 's':
      asm volatile("movl %%ss, %0" : "=r"(value));
      break;
    case 'd':
      asm volatile("movl %%ds, %0" : "=r"(value));
      break;
    default:
      asm volatile("movl %%es, %0" : "=r"(value));
  }
  return value & 0xffff;
}

void check_start_info() {
  check(g_start->magic[0] == 'x' && g_start->magic[1] == 'e' && g_start->magic[2] == 'n' &&
            g_start->magic[3] == '-',
        "start_info begins with xen-");
  check(g_start->nr_pages >= xen::kLinearMap / kPage, "start_info counts the pages");
  check((g_start->shared_info & (kPage - 1)) == 0 && g_start->shared_info != 0, "shared_info is a page");
  check((g_start->flags & (SIF_PRIVILEGED | SIF_INITDOMAIN)) == 0, "the domain is not privileged");
  check(g_start->nr_pt_frames >= 4, "at least a root, two directories and a table were built");
  check((g_start->pt_base & (kPage - 1)) == 0, "pt_base is a page");
  check(g_start->mfn_list % kPage == 0, "mfn_list is on a page");
  check(g_start->mod_len == 0, "no module");
}

void check_state() {
  check_equal(segment("cs"), FLAT_KERNEL_CS, "CS is Xen's flat one of ring 1");
  check_equal(segment("ss"), FLAT_KERNEL_SS, "SS is Xen's flat one of ring 1");
  check_equal(segment("ds"), FLAT_KERNEL_DS, "DS is Xen's flat one of ring 1");
  check_equal(segment("es"), FLAT_KERNEL_DS, "ES is Xen's flat one of ring 1");
  check_equal(xen::vcpu().evtchn_upcall_mask, 1, "events are masked at the start");
}

void check_translations() {
  u32 wrong = 0, doubled = 0;
  for (u32 pfn = 0; pfn < g_start->nr_pages; ++pfn)
    if (xen::pfn_of(xen::mfn_of(pfn)) != pfn) ++wrong;
  check_equal(wrong, 0, "M2P is P2M's inverse on all pages");
  for (u32 pfn = 1; pfn < g_start->nr_pages; ++pfn)
    if (xen::mfn_of(pfn) == xen::mfn_of(0u)) ++doubled;
  check_equal(doubled, 0, "no page is another's frame");
  u32 identical = 0;
  for (u32 pfn = 0; pfn < g_start->nr_pages; ++pfn) identical += xen::mfn_of(pfn) == pfn ? 1 : 0;
  check(identical < g_start->nr_pages, "pseudo-physical and machine numbers differ somewhere");
}

// Each level: what the walk finds is the page itself, and nowhere is a page table writable.
void check_boot_tables() {
  u32 wrong = 0, writable_tables = 0;
  const u32 first = g_start->pt_base, last = first + g_start->nr_pt_frames * kPage;
  for (u32 linear = 0; linear < xen::linear_map_end(); linear += kPage) {
    const u64* entry = xen::entry_of_page(linear);
    if (entry == nullptr || (*entry & xen::kPresent) == 0) ++wrong;
    if (entry != nullptr && linear >= first && linear < last && (*entry & xen::kWritable) != 0)
      ++writable_tables;
  }
  check_equal(wrong, 0, "the linear map is complete");
  check_equal(writable_tables, 0, "no bootstrap page table is mapped writable");
}

void check_protection() {
  const u32 root = g_start->pt_base;
  check_page_fault(run(store_word, root), 3, store_word_at, root, "a store to the root is a fault");
  const u32 directory = xen::address(xen::directory_of(0));
  check_page_fault(run(store_word, directory), 3, store_word_at, directory,
                   "a store to the directory is a fault");
  const u32 m2p = MACH2PHYS_VIRT_START;
  check_page_fault(run(store_word, m2p), 3, store_word_at, m2p, "a store to M2P is a fault");
  check_none(run(load_word, m2p), "M2P can be read");
  const Caught user = run_user(reinterpret_cast<void (*)(u32)>(load_word));
  check(user.any && user.vector == 14, "a program has no page at its EAX");
}

void check_hypercalls() {
  const int version = xen::xen_version(XENVER_version);
  check(version >> 16 >= 3, "Xen's version is 3 or later");
  int direct;
  asm volatile("int $0x82" : "=a"(direct) : "a"(__HYPERVISOR_xen_version), "b"(XENVER_version) : "memory");
  check_equal(static_cast<u32>(direct), static_cast<u32>(version), "INT 82h is the same as the page");
  char extra[16] = {};
  check_success(xen::xen_version(XENVER_extraversion, extra), "XENVER_extraversion");
  xen_feature_info_t features{};
  check_success(xen::xen_version(XENVER_get_features, &features), "XENVER_get_features");
  check((features.submap & (1u << XENFEAT_writable_page_tables | 1u << XENFEAT_auto_translated_physmap |
                            1u << XENFEAT_supervisor_mode_kernel)) == 0,
        "tables are direct, translated by the guest, and the kernel not in ring 0");
  check_equal(static_cast<u32>(xen::xen_version(XENVER_pagesize)), kPage, "XENVER_pagesize");
  xen_platform_parameters_t platform{};
  check_success(xen::xen_version(XENVER_platform_parameters, &platform), "XENVER_platform_parameters");
  check_equal(platform.virt_start, HYPERVISOR_VIRT_START, "the hypervisor begins where the header says");
  check_error(xen::xen_version(99), XEN_ENOSYS, "an unknown command of xen_version");
  check_error(xen::call<55>(0), XEN_ENOSYS, "an unknown hypercall");
  const u32 numbers[] = {64u, 127u, 0x80000000u, 0xffffffffu};
  for (const u32 number : numbers) {
    int result;
    u32 ebx = 0;
    asm volatile("int $0x82" : "=a"(result), "+b"(ebx) : "a"(number) : "memory");
    if (result != -XEN_ENOSYS) check_error(result, XEN_ENOSYS, "a hypercall number beyond the table");
  }
  check(true, "hypercall numbers beyond the table are refused");
}

void check_time() {
  const u64 first = xen::system_time();
  const u64 second = xen::system_time();
  check(second >= first, "system time does not go back");
  check(xen::tsc_khz() > 100000 && xen::tsc_khz() < 10000000, "the TSC's frequency is plausible");
  check(g_shared->wc_sec > 1000000000, "wall-clock time is after 2001");
  check_equal(g_shared->wc_version & 1, 0, "wall-clock time is consistent");
}

}  // namespace

void guest_main() {
  check_state();
  check_start_info();
  check_translations();
  check_boot_tables();
  check_protection();
  check_hypercalls();
  check_time();
}
