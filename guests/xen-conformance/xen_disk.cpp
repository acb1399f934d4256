// Guest: two disks (tests/xen/with-disks makes them): xvda to write, xvdb to read only; and their abuse.
#include "xen-conformance/disk_client.h"
#include "xen-conformance/forge.h"

namespace {

grant_entry_v1_t* g_table;

void map_grant_table() {
  xen_pfn_t frame[1] = {};
  gnttab_setup_table_t setup{};
  setup.dom = DOMID_SELF;
  setup.nr_frames = 1;
  setup.frame_list.p = frame;
  xen::grant_table_op(GNTTABOP_setup_table, &setup, 1);
  u8* page = xen::take_page();
  if (xen::update_va_mapping(xen::address(page), u64{frame[0]} * xen::kPage | 3, UVMF_INVLPG) != 0)
    xen::fail("no grant table");
  g_table = reinterpret_cast<grant_entry_v1_t*>(page);
}

void check_status(int status, int wanted, const char* name) {
  check_equal(static_cast<u32>(status), static_cast<u32>(wanted), name);
}

// with-disks fills each sector with words of its number.
bool is_sector(const u8* data, u32 number) {
  for (u32 i = 0; i < 128; ++i)
    if (reinterpret_cast<const volatile u32*>(data)[i] != number) return false;
  return true;
}

void check_requests(DiskClient& disk, u8* first, u8* second) {
  check_equal(disk.connect(), XenbusStateConnected, "xvda connects");
  check_equal(number_in(disk.read_back("sectors")), 2048, "has 2,048 sectors");
  disk.grant(0, xen::mfn_of(first));
  disk.grant(1, xen::mfn_of(second));
  check_status(disk.ask(BLKIF_OP_READ, 100, 2), BLKIF_RSP_OKAY, "a read of two pages");
  bool good = true;
  for (u32 i = 0; i < 8; ++i)
    good = good && is_sector(first + i * 512, 100 + i) && is_sector(second + i * 512, 108 + i);
  check(good, "gives the sectors");
  check_status(disk.ask(BLKIF_OP_READ, 2047, 1, 3, 3), BLKIF_RSP_OKAY, "a read of the last sector");
  check(
      is_sector(first + 2 * 512, 102) && is_sector(first + 3 * 512, 2047) && is_sector(first + 4 * 512, 104),
      "changes no other part of the page");
  for (u32 i = 0; i < 1024; ++i) reinterpret_cast<u32*>(second)[i] = 0xabcd0000 + i;
  disk.grant(0, xen::mfn_of(second), GTF_permit_access | GTF_readonly);
  check_status(disk.ask(BLKIF_OP_WRITE, 16), BLKIF_RSP_OKAY,
               "a write from a page that is granted to be read");
  check_status(disk.ask(BLKIF_OP_READ, 16), BLKIF_RSP_ERROR, "but no read into it");
  check_status(disk.ask(BLKIF_OP_FLUSH_DISKCACHE, 0, 0), BLKIF_RSP_OKAY, "a flush");
  disk.grant(0, xen::mfn_of(first));
  check_status(disk.ask(BLKIF_OP_READ, 16), BLKIF_RSP_OKAY, "a read of what was written");
  good = true;
  for (u32 i = 0; i < 1024; ++i) good = good && reinterpret_cast<volatile u32*>(first)[i] == 0xabcd0000 + i;
  check(good, "gives it back");
}

void check_bounds(DiskClient& disk) {
  check_status(disk.ask(BLKIF_OP_WRITE, 2048), BLKIF_RSP_ERROR, "a write behind the end");
  check_status(disk.ask(BLKIF_OP_WRITE, 2041), BLKIF_RSP_ERROR, "a write across the end");
  check_status(disk.ask(BLKIF_OP_WRITE, ~u64{0} - 3), BLKIF_RSP_ERROR, "a write across 2^64");
  check_status(disk.ask(BLKIF_OP_WRITE, u64{1} << 55), BLKIF_RSP_ERROR, "a write at 2^64 bytes");
  check_status(disk.ask(BLKIF_OP_READ, 0, 1, 0, 8), BLKIF_RSP_ERROR, "a segment beyond its page");
  check_status(disk.ask(BLKIF_OP_READ, 0, 1, 255, 255), BLKIF_RSP_ERROR, "a segment far beyond it");
  check_status(disk.ask(BLKIF_OP_READ, 0, 1, 5, 4), BLKIF_RSP_ERROR, "a segment that ends before it begins");
  check_status(disk.ask(BLKIF_OP_READ, 0, 0), BLKIF_RSP_ERROR, "no segments");
  check_status(disk.ask(BLKIF_OP_READ, 0, 12), BLKIF_RSP_ERROR, "12 segments");
  check_status(disk.ask(BLKIF_OP_READ, 0, 255), BLKIF_RSP_ERROR, "255 segments");
  check_status(disk.ask(BLKIF_OP_INDIRECT, 0), BLKIF_RSP_EOPNOTSUPP, "indirect segments");
  check_status(disk.ask(99, 0), BLKIF_RSP_EOPNOTSUPP, "a request of no kind");
}

void check_pages(DiskClient& disk) {
  disk.grant(0, foreign_frame());
  check_status(disk.ask(BLKIF_OP_READ, 1), BLKIF_RSP_ERROR, "a read into a foreign frame");
  check_status(disk.ask(BLKIF_OP_WRITE, 1), BLKIF_RSP_ERROR, "a write from a foreign frame");
  disk.grant(0, 0xffffffff);
  check_status(disk.ask(BLKIF_OP_READ, 1), BLKIF_RSP_ERROR, "a read into frame FFFFFFFF");
  const u64 before = xen::boot_root()[0];
  disk.grant(0, xen::mfn_of(xen::boot_root()));
  check_status(disk.ask(BLKIF_OP_READ, 1), BLKIF_RSP_ERROR, "a read over a page table");
  check(xen::boot_root()[0] == before, "which is as it was");
  disk.grant(0, xen::mfn_of(xen::boot_root()), 0);
  check_status(disk.ask(BLKIF_OP_READ, 1), BLKIF_RSP_ERROR, "a page that isn't granted");
}

// A ring page that becomes a page table while it is in use.
void check_ring(DiskClient& disk) {
  disk.ring().req_prod += 100;
  disk.wake();
  check_equal(disk.back_state(), XenbusStateClosing, "100 requests at once: the back end closes");
  check_equal(disk.enter(XenbusStateClosed, XenbusStateClosed), XenbusStateClosed, "so does the front end");
  check_equal(disk.enter(XenbusStateInitialising, XenbusStateInitWait), XenbusStateInitWait,
              "it begins again");
  check_equal(disk.connect(), XenbusStateConnected, "and connects");

  memory_set(&disk.ring(), 0, xen::kPage);
  disk.ring().req_event = 1;
  xen::make_read_only(&disk.ring());
  check_success(xen::pin_table(&disk.ring(), 1), "the ring page becomes a page table");
  disk.wake();
  check_equal(disk.ring().req_event, 1, "which no back end writes to");
  xen::unpin_table(&disk.ring());
  xen::make_writable(&disk.ring());
  disk.enter(XenbusStateClosed, XenbusStateClosed);
  check_equal(disk.enter(XenbusStateInitialising, XenbusStateInitWait), XenbusStateInitWait, "once more");
  disk.write_front("ring-ref", 0xffffffff);
  disk.write_front("event-channel", 0xffffffff);
  check_equal(disk.enter(XenbusStateInitialised, XenbusStateClosing), XenbusStateClosing,
              "a ring and a port that aren't there");
}

void check_read_only(DiskClient& disk, u8* page) {
  check_equal(disk.connect(), XenbusStateConnected, "xvdb connects");
  check_equal(number_in(disk.read_back("info")), VDISK_READONLY, "is said to be read-only");
  disk.grant(0, xen::mfn_of(page));
  check_status(disk.ask(BLKIF_OP_READ, 7, 1, 0, 0), BLKIF_RSP_OKAY, "is read");
  check(is_sector(page, 7), "gives its sector");
  check_status(disk.ask(BLKIF_OP_WRITE, 8), BLKIF_RSP_ERROR, "is not written");
  blkif_request_t request{};
  reinterpret_cast<blkif_request_discard_t&>(request) = {BLKIF_OP_DISCARD, 0, 0, 0, 0, 8};
  check_status(disk.ask(request), BLKIF_RSP_ERROR, "nor discarded");
  check_equal(disk.enter(XenbusStateClosing, XenbusStateClosing), XenbusStateClosing, "closes");
}

}  // namespace

void guest_main() {
  map_grant_table();
  u8* first = xen::take_page();
  u8* second = xen::take_page();
  static DiskClient disk("51712", g_table, 16);
  static DiskClient fixed("51728", g_table, 64);
  check_requests(disk, first, second);
  check_bounds(disk);
  check_pages(disk);
  check_ring(disk);
  check_read_only(fixed, first);
}
