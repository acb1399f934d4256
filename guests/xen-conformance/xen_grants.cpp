// Guest: the grant table and its abuse.
#include "xen-conformance/forge.h"

namespace {

using xen::kPage;

grant_entry_v1_t* g_table;

int set_up(u32 frames, xen_pfn_t* list, int& status) {
  gnttab_setup_table_t setup{};
  setup.dom = DOMID_SELF;
  setup.nr_frames = frames;
  setup.frame_list.p = list;
  const int error = xen::grant_table_op(GNTTABOP_setup_table, &setup, 1);
  status = setup.status;
  return error;
}

void check_status(int status, int wanted, const char* name) {
  check_equal(static_cast<u32>(-status), static_cast<u32>(-wanted), name);
}

void check_set_up() {
  gnttab_set_version_t version{1};
  check_success(xen::grant_table_op(GNTTABOP_set_version, &version, 1), "version 1");
  version.version = 3;
  check(xen::grant_table_op(GNTTABOP_set_version, &version, 1) != 0, "there is no version 3");
  gnttab_query_size_t size{};
  size.dom = DOMID_SELF;
  check_success(xen::grant_table_op(GNTTABOP_query_size, &size, 1), "GNTTABOP_query_size");
  check(size.status == GNTST_okay && size.max_nr_frames >= 1, "says how large the table may be");
  xen_pfn_t list[4] = {};
  int status = 1;
  check_success(set_up(1, list, status), "GNTTABOP_setup_table");
  check_status(status, GNTST_okay, "succeeds");
  static u8* page;
  page = xen::take_page();
  check_success(xen::update_va_mapping(xen::address(page), u64{list[0]} * kPage | 3, UVMF_INVLPG),
                "the table can be mapped");
  g_table = reinterpret_cast<grant_entry_v1_t*>(page);
  set_up(1, list + 1, status);
  check_equal(list[1], list[0], "its frame is the same when asked again");
  set_up(size.max_nr_frames + 1, list, status);
  check_status(status, GNTST_general_error, "more frames than there may be");
  set_up(0xffffffff, list, status);
  check_status(status, GNTST_general_error, "2^32 - 1 frames");
  check(xen::mmuext(MMUEXT_PIN_L1_TABLE, list[0]) < 0, "the table is no page table");
  gnttab_setup_table_t foreign{};
  foreign.dom = 7;
  foreign.nr_frames = 1;
  foreign.frame_list.p = list;
  check_success(xen::grant_table_op(GNTTABOP_setup_table, &foreign, 1), "the table of domain 7");
  check(foreign.status == GNTST_bad_domain || foreign.status == GNTST_permission_denied, "is refused");
}

int map(u32 domain, u32 reference, u32 flags, u64 at) {
  gnttab_map_grant_ref_t map{};
  map.dom = static_cast<domid_t>(domain);
  map.ref = reference;
  map.flags = flags;
  map.host_addr = at;
  const int error = xen::grant_table_op(GNTTABOP_map_grant_ref, &map, 1);
  return error != 0 ? error - 1000 : map.status;
}

void check_maps() {
  check(map(7, 1, GNTMAP_host_map, hole()) < 0, "a grant of a domain that isn't there");
  check(map(0, 1, GNTMAP_host_map, hole()) < 0, "a grant that the back end did not give");
  check(map(0, 0xffffffff, GNTMAP_host_map, hole()) < 0, "grant FFFFFFFF");
  check(map(DOMID_SELF, 0xffffffff, GNTMAP_host_map, hole()) < 0, "one's own grant FFFFFFFF");
  check(map(DOMID_SELF, 100, GNTMAP_host_map, MACH2PHYS_VIRT_START) < 0, "a grant over M2P");
  check((*xen::entry_of_page(hole()) & 1) == 0, "nothing was mapped");
  gnttab_unmap_grant_ref_t unmap{};
  unmap.handle = 0xffffffff;
  unmap.host_addr = hole();
  xen::grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
  check(unmap.status < 0, "a handle that isn't one");
  unmap.handle = 0;
  unmap.status = 0;
  xen::grant_table_op(GNTTABOP_unmap_grant_ref, &unmap, 1);
  check(unmap.status < 0, "nor is handle 0");
}

void check_copies() {
  u8* page = xen::take_page();
  fill(page, 0x600d600d);
  gnttab_copy_t copy{};
  copy.source.domid = DOMID_SELF;
  copy.source.u.gmfn = xen::mfn_of(page);
  copy.dest.domid = DOMID_SELF;
  copy.dest.u.gmfn = xen::mfn_of(page);
  copy.source.offset = 4090;
  copy.len = 100;
  int error = xen::grant_table_op(GNTTABOP_copy, &copy, 1);
  check(error != 0 || copy.status < 0, "a copy across the end of a page");
  copy.source.offset = 65535;
  copy.status = 0;
  error = xen::grant_table_op(GNTTABOP_copy, &copy, 1);
  check(error != 0 || copy.status < 0, "a copy from beyond the page");
  copy.source.offset = 0;
  copy.dest.u.gmfn = xen::mfn_of(xen::boot_root());
  copy.len = 8;
  copy.status = 0;
  const u64 before = xen::boot_root()[0];
  error = xen::grant_table_op(GNTTABOP_copy, &copy, 1);
  check(error != 0 || copy.status < 0, "a copy over a page table");
  check(xen::boot_root()[0] == before, "which is as it was");
  copy.dest.u.gmfn = foreign_frame();
  copy.status = 0;
  error = xen::grant_table_op(GNTTABOP_copy, &copy, 1);
  check(error != 0 || copy.status < 0, "a copy over a foreign frame");
  copy.dest.u.gmfn = xen::mfn_of(page);
  copy.source.u.gmfn = foreign_frame();
  copy.status = 0;
  error = xen::grant_table_op(GNTTABOP_copy, &copy, 1);
  check(error != 0 || copy.status < 0, "a copy of a foreign frame");
  check(is_filled_with(page, 0x600d600d), "the guest's page is as it was");
}

// Grants of what isn't the guest's to grant: nobody but a back end uses them, which has to notice.
void check_forged_entries() {
  const u32 foreign = foreign_frame();
  for (u32 i = GNTTAB_NR_RESERVED_ENTRIES; i < 512; ++i)
    g_table[i] = {GTF_permit_access, 0, i % 2 == 0 ? foreign : 0xffffffff};
  gnttab_setup_table_t setup{};
  xen_pfn_t list[1] = {};
  setup.dom = DOMID_SELF;
  setup.nr_frames = 1;
  setup.frame_list.p = list;
  check_success(xen::grant_table_op(GNTTABOP_setup_table, &setup, 1), "a table full of forged grants");
  check(map(0, 8, GNTMAP_host_map, hole()) < 0, "is of no use to the guest");
  gnttab_transfer_t transfer{};
  transfer.mfn = foreign_frame();
  transfer.domid = 0;
  transfer.ref = 9;
  const int error = xen::grant_table_op(GNTTABOP_transfer, &transfer, 1);
  check(error != 0 || transfer.status < 0, "a transfer of a foreign frame");
  check_error(xen::grant_table_op(GNTTABOP_setup_table, &setup, 0), XEN_EINVAL, "no table at all");
  check_success(xen::grant_table_op(GNTTABOP_map_grant_ref, nullptr, 0), "no map at all");
  check(xen::grant_table_op(GNTTABOP_setup_table, &setup, 0xffffffff) < 0, "2^32 - 1 operations");
  for (u32 i = GNTTAB_NR_RESERVED_ENTRIES; i < 512; ++i) g_table[i] = {};
}

}  // namespace

void guest_main() {
  check_set_up();
  check_maps();
  check_copies();
  check_forged_entries();
}
