// Guest: hypercall arguments at the edges of memory. Xen reads and writes what the guest's kernel could, or
// fails.
#include "xen-conformance/forge.h"

namespace {

using xen::call;
using xen::kPage;

constexpr u32 kGood = 0x600d600d;
// Places where nothing may be read or written for the guest.
struct Place {
  u32 at;
  const char *in, *out;
};
constexpr Place kPlaces[] = {
    {0x80000000, "arguments where no table is", "results where no table is"},
    {MACH2PHYS_VIRT_END, "arguments behind M2P", "results behind M2P"},
    {0xfffffffc, "arguments that wrap at 4 GiB", "results that wrap at 4 GiB"},
    {0xfffff000, "arguments in the last page", "results in the last page"},
};

u8* g_pages;  // two pages, of which the second isn't there

// So many bytes before the page that isn't there.
u8* before_end(u32 bytes) { return g_pages + kPage - bytes; }

template <typename T>
T* split(const T& value) {
  T* at = reinterpret_cast<T*>(before_end(sizeof(T) / 2));
  memory_copy(at, &value, sizeof(T) / 2);
  return at;
}

void make_pages() {
  g_pages = xen::take_page();
  u8* second = xen::take_page();
  if (second != g_pages + kPage || xen::update_va_mapping(xen::address(second), 0, UVMF_INVLPG) != 0)
    xen::fail("no page can be unmapped");
}

void check_places() {
  for (const Place& place : kPlaces) {
    check_error(call<__HYPERVISOR_event_channel_op>(EVTCHNOP_send, place.at), XEN_EFAULT, place.in);
    check_error(call<__HYPERVISOR_xen_version>(XENVER_extraversion, place.at), XEN_EFAULT, place.out);
  }
  check_error(call<__HYPERVISOR_xen_version>(XENVER_extraversion, MACH2PHYS_VIRT_START), XEN_EFAULT,
              "results over M2P");
  check_equal(xen::pfn_of(xen::mfn_of(0u)), 0, "M2P is as it was");
}

// Each hypercall that takes a pointer, given one to nowhere.
void check_each() {
  constexpr u32 kNowhere = 0x80000000;
  check_error(call<__HYPERVISOR_set_trap_table>(kNowhere), XEN_EFAULT, "set_trap_table");
  check_error(call<__HYPERVISOR_mmu_update>(kNowhere, 1, 0, DOMID_SELF), XEN_EFAULT, "mmu_update");
  check_error(call<__HYPERVISOR_mmuext_op>(kNowhere, 1, 0, DOMID_SELF), XEN_EFAULT, "mmuext_op");
  check_error(call<__HYPERVISOR_set_gdt>(kNowhere, 1), XEN_EFAULT, "set_gdt");
  check_error(call<__HYPERVISOR_multicall>(kNowhere, 1), XEN_EFAULT, "multicall");
  check_error(call<__HYPERVISOR_memory_op>(XENMEM_decrease_reservation, kNowhere), XEN_EFAULT, "memory_op");
  check_error(call<__HYPERVISOR_console_io>(CONSOLEIO_write, 8, kNowhere), XEN_EFAULT, "console_io");
  check_error(call<__HYPERVISOR_grant_table_op>(GNTTABOP_setup_table, kNowhere, 1), XEN_EFAULT,
              "grant_table_op");
  check_error(call<__HYPERVISOR_vcpu_op>(VCPUOP_set_singleshot_timer, 0, kNowhere), XEN_EFAULT, "vcpu_op");
  check_error(call<__HYPERVISOR_sched_op>(SCHEDOP_poll, kNowhere), XEN_EFAULT, "sched_op");
  check_error(call<__HYPERVISOR_sched_op>(SCHEDOP_shutdown, kNowhere), XEN_EFAULT, "sched_op's shutdown");
  check_error(call<__HYPERVISOR_callback_op>(CALLBACKOP_register, kNowhere), XEN_EFAULT, "callback_op");
  check_error(call<__HYPERVISOR_physdev_op>(PHYSDEVOP_set_iopl, kNowhere), XEN_EFAULT, "physdev_op");
}

void check_splits() {
  evtchn_bind_virq_t bind{VIRQ_DEBUG, 0, 0};
  check_error(xen::event_channel_op(EVTCHNOP_bind_virq, split(bind)), XEN_EFAULT,
              "a structure of which half is there");
  const mmu_update_t update{0, 0};
  check_error(xen::mmu_update(split(update), 1), XEN_EFAULT, "an update of which half is there");
  char* text = reinterpret_cast<char*>(before_end(8));
  memory_copy(text, "# line\n#", 8);
  check_error(xen::console_io(CONSOLEIO_write, 16, text), XEN_EFAULT, "a line of which half is there");
  check_error(xen::console_io(CONSOLEIO_write, 0x7fffffff, text), XEN_EFAULT, "2 GiB of text");
  // The whole of the first is there, nothing of the second.
  multicall_entry_t* calls = reinterpret_cast<multicall_entry_t*>(before_end(sizeof(multicall_entry_t)));
  memory_set(calls, 0, sizeof *calls);
  calls->op = __HYPERVISOR_xen_version;
  calls->result = kGood;
  check_error(xen::multicall(calls, 2), XEN_EFAULT, "a multicall of which half is there");
  check(calls->result != kGood, "does what is there");
  mmuext_op_t* operations = reinterpret_cast<mmuext_op_t*>(before_end(sizeof(mmuext_op_t)));
  memory_set(operations, 0, sizeof *operations);
  operations->cmd = MMUEXT_TLB_FLUSH_LOCAL;
  u32 done = kGood;
  check_error(xen::mmuext_op(operations, 2, &done), XEN_EFAULT, "two operations of which one is there");
  check_equal(done, 1, "of which one is done");
  check_error(xen::mmuext_op(operations, 0x40000000, &done), XEN_EFAULT,
              "2^30 operations of which one is there");
  // The last bytes of memory that is there are enough for a structure that ends there.
  evtchn_close_t* close = reinterpret_cast<evtchn_close_t*>(before_end(sizeof(evtchn_close_t)));
  close->port = 0xffff;
  check_error(xen::event_channel_op(EVTCHNOP_close, close), XEN_EINVAL,
              "a structure at the very end is read");
}

void check_read_only() {
  u8* page = xen::take_page();
  fill(page, kGood);
  xen::make_read_only(page);
  const u32 at = xen::address(page);
  check_error(call<__HYPERVISOR_xen_version>(XENVER_extraversion, at), XEN_EFAULT,
              "results on a read-only page");
  check_error(call<__HYPERVISOR_xen_version>(XENVER_compile_info, at), XEN_EFAULT, "more of them");
  const mmu_update_t none{0, 0};
  xen::mmu_update(&none, 1, reinterpret_cast<u32*>(at));
  check(is_filled_with(page, kGood), "the page is as it was");
  const u32 root = xen::address(xen::boot_root());
  const u32 before = static_cast<u32>(xen::boot_root()[0]);
  check_error(call<__HYPERVISOR_xen_version>(XENVER_extraversion, root), XEN_EFAULT,
              "results on a page table");
  mmuext_op_t flush{};
  flush.cmd = MMUEXT_TLB_FLUSH_LOCAL;
  xen::mmuext_op(&flush, 1, reinterpret_cast<u32*>(root));
  check_equal(static_cast<u32>(xen::boot_root()[0]), before, "the page table is as it was");
  multicall_entry_t* calls = reinterpret_cast<multicall_entry_t*>(page);
  check_error(xen::multicall(calls, 1), XEN_EFAULT, "a multicall on a read-only page");
  check(is_filled_with(page, kGood), "whose result isn't written");
}

void check_counts() {
  check_success(xen::multicall(nullptr, 0), "a multicall of nothing");
  multicall_entry_t nested{};
  nested.op = __HYPERVISOR_multicall;
  nested.args[0] = xen::address(&nested);
  nested.args[1] = 1;
  check_success(xen::multicall(&nested, 1), "a multicall of itself comes back");
  check(nested.result != 0, "and fails within");
  multicall_entry_t unknown{};
  unknown.op = 0x10001;
  check_success(xen::multicall(&unknown, 1), "a multicall of an unknown hypercall");
  check_equal(static_cast<u32>(-unknown.result), XEN_ENOSYS, "which fails within");
  sched_poll_t poll{};
  evtchn_port_t port = 1;
  poll.ports.p = &port;
  poll.nr_ports = 129;
  check_error(xen::sched_op(SCHEDOP_poll, &poll), XEN_EINVAL, "a poll of 129 ports");
  poll.nr_ports = 0xffffffff;
  check_error(xen::sched_op(SCHEDOP_poll, &poll), XEN_EINVAL, "a poll of 2^32 - 1 ports");
  poll.nr_ports = 1;
  port = 0x7fffffff;
  check_error(xen::sched_op(SCHEDOP_poll, &poll), XEN_EINVAL, "a poll of a port that can't be");
  poll.ports.p = reinterpret_cast<evtchn_port_t*>(0x80000000);
  check_error(xen::sched_op(SCHEDOP_poll, &poll), XEN_EFAULT, "a poll of ports that aren't there");
  check_error(xen::vcpu_op(VCPUOP_is_up, 1, nullptr), XEN_ENOENT, "there is no virtual CPU 1");
  check_error(xen::vcpu_op(VCPUOP_is_up, 0xffffffff, nullptr), XEN_ENOENT, "nor 2^32 - 1");
  check_equal(static_cast<u32>(xen::vcpu_op(VCPUOP_is_up, 0, nullptr)), 1, "virtual CPU 0 is up");
  check_error(xen::vcpu_op(999, 0, nullptr), XEN_ENOSYS, "an unknown command of vcpu_op");
  check_error(xen::sched_op(999, nullptr), XEN_ENOSYS, "an unknown command of sched_op");
  check_error(xen::event_channel_op(999, &poll), XEN_ENOSYS, "an unknown command of event_channel_op");
  check_error(xen::memory_op(63, &poll), XEN_ENOSYS, "an unknown command of memory_op");
  check_error(xen::grant_table_op(999, &poll, 1), XEN_ENOSYS, "an unknown command of grant_table_op");
  check_error(xen::vm_assist(VMASST_CMD_enable, 31), XEN_EINVAL, "an unknown assistance");
}

// The domain's reservation: what is given back is gone, and can be had again.
void check_memory() {
  u8* page = xen::take_page();
  const u32 pfn = xen::address(page) / kPage;
  xen_pfn_t frame = xen::mfn_of(pfn);
  const u32 mfn = frame;
  xen_memory_reservation_t reservation{};
  reservation.extent_start.p = &frame;
  reservation.nr_extents = 1;
  reservation.domid = DOMID_SELF;
  check_success(xen::update_va_mapping(xen::address(page), 0, UVMF_INVLPG), "a page may be unmapped");
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_decrease_reservation, &reservation)), 1,
              "and its frame given back");
  check_error(xen::update_va_mapping(xen::address(page), u64{mfn} * kPage | 3, UVMF_INVLPG), XEN_EINVAL,
              "then it can't be mapped");
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_decrease_reservation, &reservation)), 0,
              "nor given back again");
  frame = foreign_frame();
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_decrease_reservation, &reservation)), 0,
              "nor one that isn't the guest's");
  frame = pfn;
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_populate_physmap, &reservation)), 1,
              "a frame may be had instead");
  check_success(xen::update_va_mapping(xen::address(page), u64{frame} * kPage | 3, UVMF_INVLPG),
                "and mapped");
  check(is_filled_with(page, 0), "with nothing in it");
  frame = pfn;
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_populate_physmap, &reservation)), 0,
              "but not more than there were");
  reservation.domid = 5;
  check_equal(static_cast<u32>(xen::memory_op(XENMEM_decrease_reservation, &reservation)), 0,
              "nor any of domain 5");
}

}  // namespace

void guest_main() {
  make_pages();
  check_places();
  check_each();
  check_splits();
  check_read_only();
  check_counts();
  check_memory();
}
