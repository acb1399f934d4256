// Rows of control registers and devices: what a hypervisor must see, however it comes to see it.
#include "era-bench/address_space.h"
#include "era-bench/ops.h"
#include "era-bench/process.h"
#include "era-bench/rows.h"
#include "era-bench/sampler.h"
#include "runtime/apic.h"

namespace {

// The same value again: all entries of the TLB but the global ones go.
const char* run_cr3(const Options&) {
  const u32 root = g_current->space.root;
  sample([root] { ops::load_root(root); });
  return nullptr;
}

// CR0.TS on and off: how a kernel of that time put off saving x87 state (SDM vol. 3A 13.4).
const char* run_task_switched(const Options&) {
  sample([] {
    ops::set_task_switched(true);
    ops::set_task_switched(false);
  });
  return nullptr;
}

// The local APIC's task priority, for their cr8wr: CR8 is that register, in 64-bit mode.
const char* run_priority(const Options&) {
  if constexpr (ops::kNoDevices != nullptr) return ops::kNoDevices;
  if (!has_feature(kFeatureApic)) return "no local APIC in CPUID";
  sample([] { apic(kApicTaskPriority) = 0; });
  return nullptr;
}

// A store to a device that does nothing: the timer's divisor, while it doesn't count.
const char* run_mmio(const Options&) {
  if constexpr (ops::kNoDevices != nullptr) return ops::kNoDevices;
  if (!has_feature(kFeatureApic)) return "no local APIC in CPUID";
  sample([] { apic(kApicTimerDivide) = 3; });
  return nullptr;
}

// One page that is in use: each pass touches it again, or there would be nothing to flush.
const char* run_flush(const Options&) {
  const u32 linear = kHeap;
  const u32 frame = allocate_zeroed_frame();
  u64* entry = page_entry(g_current->space, linear, true);
  ops::change_page(entry, linear, ops::make_entry(frame, kPresent | kWritable | kUser));
  sample([] {
    *reinterpret_cast<volatile u32*>(kHeap);
    ops::flush_page(kHeap);
  });
  ops::change_page(entry, linear, 0);
  release_frame(frame);
  return nullptr;
}

// The interrupt controller's mask: a register that is read without effect, in hardware at the bus's speed.
const char* run_in(const Options&) {
  if constexpr (ops::kNoDevices != nullptr) return ops::kNoDevices;
  sample([] { in8(0x21); });
  return nullptr;
}

// Port 80h, where the BIOS shows its progress; kernels write there to wait a microsecond.
const char* run_out(const Options&) {
  if constexpr (ops::kNoDevices != nullptr) return ops::kNoDevices;
  sample([] { out8(0x80, 0); });
  return nullptr;
}

constexpr Row kRows[] = {{"cr3", run_cr3},         {"cr0-ts", run_task_switched}, {"tpr", run_priority},
                         {"mmio-write", run_mmio}, {"invlpg", run_flush},         {"in", run_in},
                         {"out", run_out}};

}  // namespace

Family hardware_rows() { return family_of(kRows); }
