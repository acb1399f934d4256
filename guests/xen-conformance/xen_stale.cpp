// Guest: what a TLB, a shadow or a translation may still hold, when a page has become something else.
//
// The guest flushes nothing here that Xen would have to flush for its own safety.
#include "xen-conformance/forge.h"

SNIPPET(store, "", "movl $0x12345678, (%eax)", "");

namespace {

using xen::entry_of;
using xen::kPage;
using xen::kPresent;
using xen::kUser;
using xen::kWritable;

constexpr u32 kAll = kPresent | kWritable | kUser;

u64* new_page() { return reinterpret_cast<u64*>(xen::take_page()); }
volatile u64* at(u32 linear) { return reinterpret_cast<volatile u64*>(linear); }

// Written often, so that whatever caches the mapping has it.
void use(volatile u64* page) {
  for (u32 i = 0; i < 1000; ++i) page[1] = i;
  page[1] = 0;
}
int map_without_flush(u32 linear, u64 entry) { return xen::update_va_mapping(linear, entry, UVMF_NONE); }

// A store through a mapping that is gone: a fault, and nothing is written.
void refuse_store(u32 linear, const volatile u64* page, const char* name) {
  const u64 before = page[0];
  const Caught caught = run(store, linear);
  if (page[0] != before)
    check(false, name);
  else
    check(caught.any && caught.vector == 14 && caught.cr2 == linear, name);
}

void check_protected_page() {
  u64* page = new_page();
  use(page);
  check_success(map_without_flush(xen::address(page), entry_of(page, kPresent)),
                "read-only, without a flush");
  check_success(xen::pin_table(page, 1), "a page that was written becomes a table");
  refuse_store(xen::address(page), page, "and can't be written by its old mapping");
  xen::unpin_table(page);
  xen::make_writable(page);
  use(page);
  xen::write_entry(xen::entry_of_page(xen::address(page)), entry_of(page, kPresent));
  check_success(xen::pin_table(page, 1), "the same by mmu_update");
  refuse_store(xen::address(page), page, "and can't be written by its old mapping either");
  xen::unpin_table(page);
  xen::make_writable(page);
  check_success(static_cast<int>(page[1]), "it is a page again");
  use(page);
}

void check_alias() {
  u64* page = new_page();
  map_without_flush(hole(), entry_of(page, kAll));
  use(at(hole()));
  map_without_flush(hole(), 0);
  xen::make_read_only(page);
  check_success(xen::pin_table(page, 1), "a page whose second mapping is gone becomes a table");
  refuse_store(hole(), page, "and can't be written there");
  xen::unpin_table(page);
  map_without_flush(hole(), entry_of(page, kAll));
  use(at(hole()));
  map_without_flush(hole(), entry_of(page, kPresent | kUser));
  check_success(xen::pin_table(page, 1), "a page whose second mapping is read-only now");
  refuse_store(hole(), page, "can't be written there");
  xen::unpin_table(page);
  map_without_flush(hole(), 0);
  xen::make_writable(page);
}

// The table with the mapping in it goes, not the mapping.
void check_detached_table() {
  u64* directory = xen::directory_of(hole());
  u64* table = new_page();
  u64* page = new_page();
  table[0] = entry_of(page, kAll);
  xen::make_read_only(table);
  const u32 linear = (hole() & 0xc0000000) + (7 << 21);
  check_success(xen::write_entry(&directory[7], entry_of(table, kAll)), "a table with a mapping is attached");
  use(at(linear));
  check_success(xen::write_entry(&directory[7], 0), "and detached");
  xen::make_read_only(page);
  check_success(xen::pin_table(page, 1), "the page that it maps becomes a table");
  refuse_store(linear, page, "and can't be written through the table that is gone");
  xen::unpin_table(page);
  xen::make_writable(page);
  xen::make_writable(table);
  table[0] = entry_of(xen::boot_root(), kAll);
  refuse_store(linear, xen::boot_root(), "nor what its owner writes into it then");
  table[0] = 0;
}

// The address space that had the mapping isn't loaded any more.
void check_other_space() {
  Tables tables = make_tables();
  u64* page = new_page();
  tables.leaf[5] = entry_of(page, kAll);
  protect(tables);
  check_success(xen::pin_table(tables.root, 3), "an address space with a page");
  xen::load_root(tables.root);
  constexpr u32 kLinear = 0x40000000 + 5 * kPage;
  use(at(kLinear));
  xen::load_root(xen::boot_root());
  check_success(xen::write_entry(&tables.leaf[5], 0), "which is taken from it while another is loaded");
  xen::make_read_only(page);
  check_success(xen::pin_table(page, 1), "the page becomes a table");
  xen::load_root(tables.root);
  refuse_store(kLinear, page, "and can't be written where it was");
  xen::load_root(xen::boot_root());
  xen::unpin_table(tables.root);
  unprotect(tables);
}

void check_descriptors() {
  u64* page = new_page();
  use(page);
  map_without_flush(xen::address(page), entry_of(page, kPresent));
  const xen_pfn_t frame = xen::mfn_of(page);
  check_success(xen::set_gdt(&frame, 512), "a page that was written becomes a descriptor table");
  refuse_store(xen::address(page), page, "and then can't be written by that mapping");
}

void check_given_back() {
  u64* page = new_page();
  use(page);
  xen_pfn_t frame = xen::mfn_of(page);
  xen_memory_reservation_t reservation{};
  reservation.extent_start.p = &frame;
  reservation.nr_extents = 1;
  reservation.domid = DOMID_SELF;
  map_without_flush(xen::address(page), 0);
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_decrease_reservation, &reservation)), 1,
              "a page that was written is given back");
  const Caught caught = run(store, xen::address(page));
  check(caught.any && caught.vector == 14, "and can't be written any more");
}

// What runs is what stands there, however it came there.
u32 call(u32 linear) { return reinterpret_cast<u32 (*)()>(linear)(); }
u64 code_returning(u8 value) { return 0xc300000000b8ull | u64{value} << 8 | u64{0x9090} << 48; }

void check_code() {
  u64* first = new_page();
  u64* second = new_page();
  first[0] = code_returning(1);
  second[0] = code_returning(2);
  u32 wrong = 0;
  for (u32 i = 0; i < 300; ++i) {
    const bool odd = i % 2 != 0;
    xen::update_va_mapping(hole(), entry_of(odd ? second : first, kPresent), UVMF_INVLPG);
    for (u32 j = 0; j < 20; ++j) wrong += call(hole()) != (odd ? 2 : 1) ? 1 : 0;
  }
  check_equal(wrong, 0, "code of a page that is remapped");
  xen::update_va_mapping(hole(), entry_of(first, kPresent), UVMF_INVLPG);
  wrong = 0;
  for (u32 i = 0; i < 100; ++i) {
    const mmu_update_t update{xen::machine_address(first), code_returning(static_cast<u8>(i))};
    xen::mmu_update(&update, 1);
    for (u32 j = 0; j < 20; ++j) wrong += call(hole()) != i ? 1 : 0;
  }
  check_equal(wrong, 0, "code that mmu_update changes");
  wrong = 0;
  for (u32 i = 0; i < 100; ++i) {
    first[0] = code_returning(static_cast<u8>(i));
    for (u32 j = 0; j < 20; ++j) wrong += call(hole()) != i ? 1 : 0;
  }
  check_equal(wrong, 0, "code that another mapping changes");
  char* text = reinterpret_cast<char*>(first);
  wrong = 0;
  for (u32 i = 0; i < 20; ++i) {
    first[0] = code_returning(7);
    wrong += call(hole()) != 7 ? 1 : 0;
    xen_platform_parameters_t* result = reinterpret_cast<xen_platform_parameters_t*>(text + 1);
    xen::xen_version(XENVER_platform_parameters, result);
    wrong += call(hole()) != HYPERVISOR_VIRT_START ? 1 : 0;
  }
  check_equal(wrong, 0, "code that a hypercall's result changes");
  xen::update_va_mapping(hole(), 0, UVMF_INVLPG);
}

}  // namespace

void guest_main() {
  check_protected_page();
  check_alias();
  check_detached_table();
  check_other_space();
  check_descriptors();
  check_given_back();
  check_code();
}
