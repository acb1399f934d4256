// Operations of Xen's paravirtual interface, 32-bit with PAE: hypercalls (see ops.h).
#pragma once

#include "runtime/cpu.h"
#include "xen-runtime/events.h"
#include "xen-runtime/tables.h"

namespace ops {

constexpr const char* kInterface = "xen-pv";
constexpr const char* kNoDevices = "a paravirtual guest has no such device";
constexpr const char* kNoSysenter = "SYSENTER leads to CPL 0, where Xen is; int80 is this kernel's entry";
constexpr const char* kNoHypervisor = nullptr;
constexpr u8 kTimerVector = 0x20;
constexpr u16 kUserCode = FLAT_USER_CS, kUserData = FLAT_USER_DS;

void start();
const char* options();
void write(const char* text);
[[noreturn]] void end(bool good);
u32 tsc_khz();
bool has_memory(u32 bytes);
u32 first_free_frame();

[[noreturn]] void refused(const char* hypercall, int error);
inline void require(int result, const char* hypercall) {
  if (result != 0) [[unlikely]]
    refused(hypercall, result);
}

inline void disable_interrupts() { xen::mask_events(); }
inline void enable_interrupts() { xen::unmask_events(); }
// The hypercall unmasks events, and blocks if none is pending (sched.h, SCHEDOP_block).
inline void idle() {
  xen::sched_op(SCHEDOP_block, nullptr);
  xen::mask_events();
}

// The boot tables' directory; and one for each address space, into which Xen puts itself.
u64* map_kernel(u32 user_begin, u32 user_end);
u64* make_top();
constexpr bool kTopIsShared = false;
inline void load_root(u32 root) {
  require(xen::mmuext(MMUEXT_NEW_BASEPTR, xen::mfn_of(root / xen::kPage)), "NEW_BASEPTR");
}
inline void enable_paging(u32 root) { load_root(root); }
inline void flush_page(u32 linear) { require(xen::mmuext(MMUEXT_INVLPG_LOCAL, linear), "INVLPG_LOCAL"); }
inline void flush_all() { require(xen::mmuext(MMUEXT_TLB_FLUSH_LOCAL, 0), "TLB_FLUSH_LOCAL"); }
inline u64 make_entry(u32 frame, u32 flags) {
  return u64{xen::mfn_of(frame / xen::kPage)} * xen::kPage | flags;
}
inline u32 frame_of(u64 entry) { return xen::pfn_of(xen::mfn_in(entry)) * xen::kPage; }
inline void set_entry(volatile u64* entry, u64 value) {
  require(xen::write_entry(entry, value), "mmu_update");
}
void queue_entry(volatile u64* entry, u64 value);
void commit_entries();
// In the address space that is loaded.
inline void change_page(volatile u64*, u32 linear, u64 value) {
  require(xen::update_va_mapping(linear, value, UVMF_INVLPG), "update_va_mapping");
}
// Read-only in the linear map, from commit_entries() on; and pinned.
void adopt_table(u32 frame);
void adopt_root(u32 frame);
void drop_root(u32 frame);
// Writable again, from commit_drops() on.
void drop_table(u32 frame);
void commit_drops();

inline u32 fault_address() { return xen::vcpu().arch.cr2; }
void set_trap(u8 vector, const void* entry, bool from_user);
void switch_process(u32 root, u32 stack_top);
inline void set_task_switched(bool on) { xen::fpu_taskswitch(on); }

u64 arm_timer(u32 microseconds);
void acknowledge_timer();

[[gnu::always_inline]] inline u32 system_call(u32 call, u32 first, u32 second) {
  u32 result;
  asm volatile("int $0x80" : "=a"(result) : "a"(call), "b"(first), "S"(second) : "memory");
  return result;
}
inline void hypercall() { xen::xen_version(XENVER_version); }

}  // namespace ops
